"""ELF files and linkage: programs that cannot be recorded are found without running them."""

import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from allocsim.errors import EnvironmentLacks
from allocsim.recorders import linkage, usable_recorders
from allocsim.recorders.base import Request
from allocsim.recorders.elf import read_elf
from allocsim.recorders.linkage import (
    linkage_of,
    why_no_room,
    why_not_with_glibc_only,
    why_unsuited,
)
from allocsim.recorders.program import find_program
from tests.recorders.requirements import compiled

ALLOCATOR = """
#include <cstddef>
extern "C" void *malloc(size_t size) { static char room[1 << 20], *next = room;
    void *block = next; next += (size + 15) / 16 * 16; return block; }
void *operator new(size_t size) { return malloc(size); }
void *operator new[](size_t size) { return malloc(size); }
"""
"""A malloc library with an operator new of its own, like tcmalloc, mimalloc and jemalloc."""

USER = "int main() { int *x = new int(5); return *x; }"


def request(path: Path | str) -> Request:
    return Request(find_program([str(path)]))


@pytest.fixture
def with_allocator(tmp_path: Path) -> Path:
    """A C++ program that is linked to ALLOCATOR."""
    library = compiled(tmp_path, "libown.so", ALLOCATOR, "-shared", "-fPIC", language="c++")
    return compiled(tmp_path, "user", USER, "-Wl,--no-as-needed", str(library), language="c++")


def test_symbols_of_a_file_are_defined_or_imported(tmp_path: Path) -> None:
    path = compiled(tmp_path, "it", "#include <stdlib.h>\nint main(void) { free(malloc(1)); }")
    elf = read_elf(path, ("malloc", "free", "oc", "calloc"))
    assert elf is not None
    assert elf.is_native
    assert sorted(elf.imported) == ["free", "malloc"]
    assert not elf.defined
    assert elf.interpreter is not None
    assert Path(elf.interpreter).exists()


def test_file_that_is_no_elf_file_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("#!/bin/sh\n")
    assert read_elf(tmp_path / "empty") is read_elf(tmp_path / "text") is None
    assert read_elf(tmp_path / "gone") is None


@pytest.mark.parametrize("length", [6, 40, 64, 100, 700, 5000])
def test_cut_or_damaged_file_is_no_error(tmp_path: Path, length: int) -> None:
    whole = Path(shutil.which("true") or "").read_bytes()
    (tmp_path / "cut").write_bytes(whole[:length])
    read_elf(tmp_path / "cut", ("malloc",))
    (tmp_path / "wild").write_bytes(whole[:32] + b"\xff" * length + whole[32 + length :])
    assert read_elf(tmp_path / "wild", ("malloc",)) is None


def test_program_with_an_operator_new_past_malloc_is_refused(with_allocator: Path) -> None:
    assert linkage_of(str(with_allocator)) == ("libown.so", True)
    reason = why_unsuited(request(with_allocator))
    assert reason is not None
    assert "is linked to libown.so, whose operator new does not call malloc" in reason
    with pytest.raises(EnvironmentLacks, match=r"lttng cannot record user: .* libown\.so"):
        usable_recorders(request(with_allocator), "lttng")


def test_c_program_with_another_malloc_is_refused_by_mtrace_only(tmp_path: Path) -> None:
    library = compiled(tmp_path, "libown.so", ALLOCATOR, "-shared", "-fPIC", language="c++")
    path = compiled(
        tmp_path, "user", "int main(void) { return 0; }", "-Wl,--no-as-needed", str(library)
    )
    assert linkage_of(str(path)) == ("libown.so", False)
    assert why_unsuited(request(path)) is None
    assert why_not_with_glibc_only(request(path)) == (
        "it records only glibc's malloc, and user is linked to libown.so"
    )


def test_program_with_a_malloc_of_its_own_is_refused(tmp_path: Path) -> None:
    path = compiled(tmp_path, "own", ALLOCATOR + USER, "-rdynamic", language="c++")
    assert "has its own malloc" in (why_unsuited(request(path)) or "")


def test_static_program_is_refused(tmp_path: Path) -> None:
    path = compiled(tmp_path, "static", "int main(void) { return 5; }", "-static")
    assert "is statically linked" in (why_unsuited(request(path)) or "")


def test_go_program_is_refused_with_the_way_to_trace_it(tmp_path: Path) -> None:
    path = compiled(tmp_path, "it", "int main(void) { return 5; }")
    assert why_unsuited(request(path)) is None
    path.write_bytes(path.read_bytes() + b"\xff Go buildinf:\x08\x02")
    reason = why_unsuited(request(path)) or ""
    assert "is a Go program" in reason
    assert "GODEBUG=traceallocfree=1" in reason


def test_script_is_judged_by_its_interpreter(tmp_path: Path, with_allocator: Path) -> None:
    script = tmp_path / "script"
    script.write_text(f"#!{with_allocator} x\n")
    script.chmod(0o700)
    assert "libown.so" in (why_unsuited(request(script)) or "")
    script.write_text("#!/usr/bin/env -S A=1 sh\n")
    assert why_unsuited(request(script)) is None


def test_program_with_other_rights_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linkage, "_gains_rights", lambda _: True)
    assert "gains privileges" in (why_unsuited(request("true")) or "")


def test_ordinary_programs_are_not_refused() -> None:
    assert why_unsuited(request("true")) is None
    assert linkage_of(shutil.which("true") or "") == (None, False)


def test_limit_of_the_address_space_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_no_room(1 << 40) is None or resource.getrlimit(resource.RLIMIT_AS)[0] >= 0
    monkeypatch.setattr(resource, "getrlimit", lambda _: (60_000 << 10, 60_000 << 10))
    assert why_no_room(50 << 20) is None
    assert why_no_room(64 << 20) == (
        "its buffers need up to 64.0 MiB of address space, and ulimit -v allows 58.6 MiB"
    )


def test_loader_that_fails_gives_no_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess[str]([], 127, "", "no loader")
    monkeypatch.setattr(linkage, "run_command", lambda *_: failed)
    linkage_of.cache_clear()
    assert linkage_of(shutil.which("true") or "") == (None, False)
    linkage_of.cache_clear()
