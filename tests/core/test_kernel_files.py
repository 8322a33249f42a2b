"""Compiled kernels on disk: any failure there only means that a kernel is compiled again."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import pytest

from allocsim import Heap
from allocsim.core.import_closure import ImportClosure, UnknownSource
from allocsim.core.inlined_kernels import LinkedCompiler
from allocsim.core.jit import PURE
from allocsim.core.kernel_files import RUN, KernelFiles, kernel_files
from allocsim.driver import replay
from allocsim.player import Options, replay_trace
from tests.driving import free, malloc
from tests.traces.streams import trace_of

pytestmark = pytest.mark.skipif(PURE, reason="nothing is compiled in pure mode")


def doubled(number: int) -> int:
    """Return twice the number: the code of the toy kernel."""
    return number * 2


class Sources(ImportClosure):
    """Digests that a test sets."""

    current = "old"

    def digest(self, modules: Any) -> str:
        return self.current


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The directory of the toy kernel's files."""
    return tmp_path / "kernels"


def compiled(place: Path, sources: ImportClosure | None = None, *only_read: Path) -> Any:
    """Return the toy kernel as a new process would create it."""
    fresh = numba.njit(doubled, pipeline_class=LinkedCompiler)
    fresh._cache = kernel_files(doubled, [place, *only_read], sources or Sources(), lambda _: [])
    return fresh


def hits(fresh: Any) -> int:
    """Call the kernel, check its result, and return how often it was loaded from disk."""
    assert fresh(21) == 42
    return sum(fresh.stats.cache_hits.values())


def kept(place: Path) -> Path:
    """Return the only file of a compiled kernel."""
    (found,) = place.rglob("*.nbc")
    return found


def test_kernel_that_was_saved_is_loaded(place: Path) -> None:
    assert hits(compiled(place)) == 0
    assert hits(compiled(place)) == 1


def test_kernel_is_loaded_from_a_directory_that_is_only_read(place: Path, tmp_path: Path) -> None:
    hits(compiled(place))
    assert hits(compiled(tmp_path / "new", None, place)) == 1
    assert not (tmp_path / "new").exists()
    kept(place).write_bytes(b"damaged")
    assert hits(compiled(tmp_path / "new", None, place)) == 0
    assert hits(compiled(tmp_path / "new", None, place)) == 1


def test_kernel_of_other_sources_is_replaced(place: Path) -> None:
    hits(compiled(place))
    before, sources = kept(place), Sources()
    sources.current = "new"
    assert hits(compiled(place, sources)) == 0
    assert kept(place) != before
    assert hits(compiled(place, sources)) == 1


def test_each_signature_has_a_file(place: Path) -> None:
    fresh = compiled(place)
    assert (fresh(21), fresh(21.0)) == (42, 42.0)
    assert len(list(place.iterdir())) == 2


def test_kernel_of_unknown_source_is_not_saved(place: Path) -> None:
    class Unknown(ImportClosure):
        def digest(self, modules: Any) -> str:
            raise UnknownSource("none")

    assert [hits(compiled(place, Unknown())) for _ in range(2)] == [0, 0]
    assert not place.exists()


def test_saved_replay_of_a_design_is_found() -> None:
    """The notice about compiling depends on whether the design's replay kernel is saved."""
    with Heap(reserve=16 << 20) as heap:
        replay_trace(heap, trace_of([malloc(0, 8), free(0)]), Options())
    dispatcher: Any = replay
    files = dispatcher._cache
    found = [list(dict.fromkeys(files._state_modules(each))) for each in dispatcher.signatures]
    [states] = [modules for modules in found if "allocsim.designs.go2008.records" in modules]
    assert files._has_replay([module for module in states if module != RUN])
    assert not files._has_replay(["allocsim.designs.go2008.page_heap"])


def test_without_a_directory_nothing_is_saved() -> None:
    fresh = numba.njit(doubled)
    fresh._cache = kernel_files(doubled, [], Sources(), lambda _: [])
    assert hits(fresh) == 0


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "one byte": lambda content: content[:1],
    "cut in half": lambda content: content[: len(content) // 2],
    "last byte lost": lambda content: content[:-1],
    "zeros": lambda content: bytes(len(content)),
    "noise": lambda content: os.urandom(len(content)),
    "one bit flipped": lambda content: content[:999] + bytes([content[999] ^ 1]) + content[1000:],
    "longer": lambda content: content + b"x",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_machine_code_is_compiled_again_and_replaced(
    place: Path, damage: Callable[[bytes], bytes]
) -> None:
    hits(compiled(place))
    file = kept(place)
    file.write_bytes(damage(file.read_bytes()))
    assert [hits(compiled(place)) for _ in range(2)] == [0, 1]


def test_directory_that_is_deleted_before_saving_is_made_again(place: Path) -> None:
    hits(compiled(place))
    fresh = compiled(place)
    shutil.rmtree(place)
    assert hits(fresh) == 0
    assert hits(compiled(place)) == 1


@pytest.mark.parametrize("when", ["before renaming", "after renaming"])
def test_directory_that_is_deleted_while_saving_is_no_trouble(
    place: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    real = Path.replace

    def deleting(file: Path, target: Path) -> Path:
        if when == "before renaming":
            shutil.rmtree(place, ignore_errors=True)
        result = real(file, target)
        shutil.rmtree(place, ignore_errors=True)
        return result

    monkeypatch.setattr(Path, "replace", deleting)
    assert hits(compiled(place)) == 0


def test_full_disk_is_no_trouble(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert hits(compiled(place)) == 0
    assert list(place.iterdir()) == []


def test_directory_that_cannot_be_made_is_no_trouble(place: Path) -> None:
    place.write_text("a file, where a directory should be")
    assert hits(compiled(place)) == 0


def test_numba_may_switch_the_cache_as_it_likes(place: Path) -> None:
    files = KernelFiles(doubled, [place], Sources(), lambda _: [])
    files.enable()
    files.disable()
    files.flush()
    assert files.cache_path == str(place)
