"""Kernels on disk: whatever goes wrong there costs a compilation and nothing else."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import pytest

from allocsim.core.jit import PURE
from allocsim.core.kernel_cache import KernelFiles, kernel_files

pytestmark = pytest.mark.skipif(PURE, reason="nothing is compiled in pure mode")


def doubled(number: int) -> int:
    """What the toy kernel does."""
    return number * 2


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the toy kernel is kept."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


def compiled(files: Any = None) -> Any:
    """The toy kernel as a fresh process would make it."""
    fresh = numba.njit(doubled)
    fresh._cache = files or kernel_files(doubled)
    return fresh


def hits(fresh: Any) -> int:
    """How often a kernel came from disk, after it has given the right answer."""
    assert fresh(21) == 42
    return sum(fresh.stats.cache_hits.values())


def kept(place: Path, suffix: str) -> Path:
    """The one file of that kind."""
    (found,) = place.rglob(f"*.{suffix}")
    return found


def test_kernel_that_was_saved_is_loaded(place: Path) -> None:
    assert hits(compiled()) == 0
    assert hits(compiled()) == 1


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
def test_damaged_machine_code_is_compiled_anew_and_replaced(
    place: Path, damage: Callable[[bytes], bytes]
) -> None:
    hits(compiled())
    file = kept(place, "nbc")
    file.write_bytes(damage(file.read_bytes()))
    assert [hits(compiled()) for _ in range(2)] == [0, 1]


@pytest.mark.parametrize("name", ["empty", "one byte", "cut in half", "zeros", "noise"])
def test_damaged_index_is_replaced(place: Path, name: str) -> None:
    hits(compiled())
    file = kept(place, "nbi")
    file.write_bytes(DAMAGE[name](file.read_bytes()))
    assert [hits(compiled()) for _ in range(3)][-1] == 1


def test_directory_that_is_deleted_before_saving_is_made_anew(place: Path) -> None:
    fresh = compiled()
    shutil.rmtree(place)
    assert hits(fresh) == 0
    assert hits(compiled()) == 1


@pytest.mark.parametrize("call", ["replace", "makedirs"])
def test_directory_that_is_deleted_while_saving_is_no_trouble(
    place: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    fresh, honest = compiled(), getattr(os, call)

    def deleting(*arguments: Any, **options: Any) -> None:
        honest(*arguments, **options) if call == "makedirs" else None
        shutil.rmtree(place, ignore_errors=True)
        if call == "replace":
            honest(*arguments, **options)

    monkeypatch.setattr(os, call, deleting)
    assert hits(fresh) == 0


def test_full_disk_is_no_trouble(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = compiled()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(KernelFiles, "_save_overload", full)
    assert hits(fresh) == 0


def test_directory_that_cannot_be_made_is_no_trouble(place: Path) -> None:
    place.write_text("a file, where a directory should be")
    assert hits(compiled()) == 0
