"""Names of inlined functions of internal linkage, in a compiled C++ program."""

import os
import re
import shutil
from pathlib import Path

import pytest

from allocsim.call_sites import inlined_names
from allocsim.call_sites.frame import Frame
from allocsim.call_sites.symbols import resolve
from tests.call_sites.test_symbols import places_in
from tests.recorders.requirements import compiled

SOURCE = """#include <cstdlib>
namespace {
inline __attribute__((always_inline)) void *innermost(size_t size) {
    return malloc(size);
}
}
static inline __attribute__((always_inline)) void *middle(size_t size) {
    return innermost(size);
}
extern "C" __attribute__((noinline)) void *outer() {
    return middle(64);
}
int main() { free(outer()); return 0; }
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program with debug information."""
    return compiled(tmp_path, "app", SOURCE, "-g", "-O1", language="c++")


def test_function_that_is_local_to_its_file_has_its_own_name(program: Path) -> None:
    if shutil.which(inlined_names.OBJCOPY) is None:
        pytest.skip("objcopy is not installed: apt install binutils")
    chains = resolve(places_in(program, "outer"), "").chains
    names = [[re.sub(r"\(.*?\)(::)?", "", frame.function) for frame in each] for each in chains]
    assert ["innermost", "middle", "outer"] in names
    assert ["outer", "middle", "outer"] not in names


@pytest.mark.parametrize("fault", ["missing", "too large", "no temporary directory"])
def test_without_a_copy_the_lines_are_right(
    program: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    expected = resolve(places_in(program, "outer"), "").chains
    if fault == "missing":
        monkeypatch.setattr(inlined_names, "OBJCOPY", "/no/such/objcopy")
    elif fault == "too large":
        monkeypatch.setattr(inlined_names, "MAX_FILE", 100)
    else:
        monkeypatch.setattr("tempfile.tempdir", "/no/such/directory")
    found = resolve(places_in(program, "outer"), "").chains
    assert [[(f.file, f.line) for f in chain] for chain in found] == [
        [(f.file, f.line) for f in chain] for chain in expected
    ]


def test_copy_is_removed(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    resolve(places_in(program, "outer"), "")
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_names_of_other_lines_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = [Frame("outer", "/a.cpp", 3), Frame("outer", "/a.cpp", 9)]
    other = [Frame("inner", "/a.cpp", 4), Frame("outer", "/a.cpp", 9)]
    monkeypatch.setattr(inlined_names, "_without_symbols", lambda *_: [other])
    assert inlined_names.with_inlined_names(b"/x", [1], [chain]) == [chain]
    same = [other[0]._replace(line=3), other[1]]
    monkeypatch.setattr(inlined_names, "_without_symbols", lambda *_: [same])
    assert inlined_names.with_inlined_names(b"/x", [1], [chain]) == [same]


def test_file_that_is_no_program_has_no_other_names(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    chain = [Frame("f", "/a.cpp", 3), Frame("f", "/a.cpp", 9)]
    path = os.fsencode(tmp_path / "text")
    assert inlined_names.with_inlined_names(path, [1], [chain]) == [chain]
