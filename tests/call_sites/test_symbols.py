"""Symbols: functions and lines of a compiled program; wrong and hostile files do no harm."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from allocsim.call_sites import symbols
from allocsim.call_sites.elf_functions import in_named_functions
from allocsim.call_sites.frame import Frame
from allocsim.call_sites.symbols import Place, resolve

SOURCE = """#include <stdlib.h>
static inline __attribute__((always_inline)) void *inner(size_t size) {
    return malloc(size);
}
__attribute__((noinline)) void *outer(void) {
    return inner(64);
}
int main(void) { free(outer()); return 0; }
"""


@pytest.fixture
def compiled(compiler: str, tmp_path: Path) -> Path:
    """A program with debug information."""
    (tmp_path / "app.c").write_text(SOURCE)
    command = [compiler, "-g", "-O1", "-o", str(tmp_path / "app"), str(tmp_path / "app.c")]
    subprocess.run(command, check=True)
    return tmp_path / "app"


def functions_of(program: Path) -> dict[str, tuple[int, int]]:
    """Return the start and size that nm reports for each function."""
    if shutil.which("nm") is None:
        pytest.skip("nm is not installed: apt install binutils")
    output = subprocess.run(["nm", "-S", program], capture_output=True, text=True, check=True)
    rows = [line.split() for line in output.stdout.splitlines()]
    return {row[3]: (int(row[0], 16), int(row[1], 16)) for row in rows if len(row) == 4}


def places_in(program: Path, name: str) -> list[Place]:
    """Return a place for each byte of a function."""
    start, size = functions_of(program)[name]
    return [Place(os.fsencode(program), start + byte) for byte in range(size)]


def test_inlined_function_has_a_frame_of_its_own(compiled: Path) -> None:
    found = resolve(places_in(compiled, "outer"), "")
    assert found.notes == []
    source, program = str(compiled.with_suffix(".c")), str(compiled)
    inner = [Frame("inner", source, 3, program), Frame("outer", source, 6, program)]
    assert inner in found.chains
    assert all(chain[-1].function == "outer" for chain in found.chains)


def test_without_debug_information_a_function_has_a_name(compiled: Path) -> None:
    places = places_in(compiled, "outer")
    subprocess.run(["strip", "--strip-debug", compiled], check=True)
    found = resolve(places, "")
    assert {chain[0].label for chain in found.chains} == {"outer app"}


def test_address_outside_of_all_known_functions_has_no_wrong_name(compiled: Path) -> None:
    places = places_in(compiled, "outer")
    subprocess.run(["strip", compiled], check=True)
    (first, *_) = resolve(places, "").chains
    assert first == [Frame(f"app+{places[0].offset:#x}", module=str(compiled))]


def test_file_that_is_newer_than_the_recording_is_not_read(compiled: Path, tmp_path: Path) -> None:
    recording = tmp_path / "old.zst"
    recording.touch()
    os.utime(recording, (1, 1))
    found = resolve(places_in(compiled, "outer")[:1], str(recording))
    assert found.chains[0][0].function.startswith("app+0x")
    assert found.notes == [
        f"functions of call sites in {str(compiled)[:100]} are not known: the file is newer than "
        "the recording"
    ]


def test_no_file_but_a_regular_one_with_an_absolute_path_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "app").write_bytes(b"")
    paths = [b"", b"app", b"-e", b"--help", b"/dev/zero", os.fsencode(tmp_path / "pipe"),
             os.fsencode(tmp_path), b"/no/such", b"/\0", b"linux-vdso.so.1"]  # fmt: skip
    found = resolve([Place(path, 16) for path in paths], "")
    assert found.notes == []
    assert all(chain[0].function.endswith("0x10") for chain in found.chains)


def test_file_that_is_no_program_is_noted(tmp_path: Path) -> None:
    if shutil.which(symbols.ADDR2LINE) is None:
        pytest.skip("addr2line is not installed: apt install binutils")
    (tmp_path / "te\x1bxt").write_text("text")
    path = os.fsencode(tmp_path / "te\x1bxt")
    found = resolve([Place(path, 16)], "")
    assert found.chains == [[Frame("te\\x1bxt+0x10", module=str(tmp_path / "te\\x1bxt"))]]
    (note,) = found.notes
    assert note.isprintable()
    assert note.endswith("are not known: the file cannot be read")


def test_files_are_named_in_the_order_of_their_paths(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(symbols, "frames_in", lambda *_: None)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(symbols, "_is_file", lambda _: True)
    (note,) = resolve([Place(f"/none/{name}".encode(), 16) for name in "hgfedcba"], "").notes
    assert "in /none/a, /none/b, /none/c and 5 other files are not known" in note


def test_without_addr2line_a_note_says_how_to_get_it(
    compiled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/none")
    found = resolve([Place(os.fsencode(compiled), 16)], "")
    assert found.chains == [[Frame("app+0x10", module=str(compiled))]]
    assert found.notes[0].endswith("(apt install binutils)")


@pytest.mark.parametrize("content", [b"", b"\x7fELF\x02\x01", b"\x7fELF\x02\x01" + b"\xff" * 200])
def test_damaged_file_names_no_function(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "damaged").write_bytes(content)
    assert in_named_functions(str(tmp_path / "damaged"), [1, 2]).tolist() == [False, False]


def test_named_functions_are_those_of_nm(compiled: Path) -> None:
    functions = functions_of(compiled)
    offsets = [*range(0x1000, 0x1400)]
    ranges = [functions[name] for name in ("main", "outer")]
    expected = [any(start <= at < start + size for start, size in ranges) for at in offsets]
    found = in_named_functions(str(compiled), offsets).tolist()
    assert [it for it, where in zip(found, expected, strict=True) if where] == [True] * sum(
        expected
    )
    assert in_named_functions(str(compiled), [0, 1, 1 << 40]).tolist() == [False] * 3
