"""The anonymous memory of a process, for each kind of mapping."""

import mmap
import os
from pathlib import Path

import pytest

from allocsim.recorders import smaps
from allocsim.recorders.elf import zero_filled
from allocsim.recorders.smaps import memory_map, read_memory_map

KIB = 1 << 10

TEXT = b"""\
1000-2000 r-xp 00000000 08:01 11 /bin/prog
Rss:                   4 kB
Anonymous:             0 kB
2000-4000 rw-p 00001000 08:01 11 /bin/prog
Anonymous:             8 kB
4000-9000 rw-p 00000000 00:00 0 EMPTY
Anonymous:            20 kB
a000-f000 rw-p 00000000 00:00 0 [heap]
Anonymous:            16 kB
20000-30000 rw-p 00000000 00:00 0 EMPTY
Anonymous:            64 kB
40000-50000 r-xp 00000000 08:01 12 /lib/with space.so
Anonymous:             4 kB
60000-70000 rw-p 00000000 00:00 0 [stack]
Anonymous:            12 kB
""".replace(b"EMPTY", b"")


def test_static_data_and_the_stack_do_not_come_from_malloc(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mapping after /bin/prog has more pages than the .bss of that file."""
    monkeypatch.setattr(smaps, "_zero_filled", {"/bin/prog": 12 * KIB}.__getitem__)
    found = memory_map(TEXT)
    assert found.static == {
        "/bin/prog": 20 * KIB,
        "/lib/with space.so": 4 * KIB,
        "[stack]": 12 * KIB,
    }
    assert found.code == {"/bin/prog", "/lib/with space.so"}
    assert found.outside([]) == 36 * KIB
    assert found.outside(["/lib/with space.so"]) == 32 * KIB


def test_mappings_of_this_process_have_its_interpreter() -> None:
    found = read_memory_map(os.getpid())
    assert found.static["[stack]"] > 0
    assert any("libc" in path for path in found.code)


def test_process_that_has_ended_has_no_mappings() -> None:
    with pytest.raises(FileNotFoundError):
        read_memory_map(1 << 22)


def test_mappings_of_a_process_that_ends_meanwhile_are_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Path, "read_bytes", lambda _: TEXT[: TEXT.index(b"[stack]")])
    with pytest.raises(ProcessLookupError):
        read_memory_map(os.getpid())


def test_file_that_is_not_loaded_has_no_zero_filled_pages(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "damaged").write_bytes(b"\x7fELF\x02\x01" + bytes(60))
    assert [zero_filled(tmp_path / name) for name in ("empty", "damaged", "none")] == [0, 0, 0]
    assert zero_filled(Path("/proc/self/exe").resolve()) % mmap.PAGESIZE == 0
