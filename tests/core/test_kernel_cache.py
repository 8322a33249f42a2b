"""The kernel cache: an edit of any kernel's source file is never answered by an old kernel."""

import ast
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from allocsim.core import kernel_cache
from allocsim.core.jit import PURE
from allocsim.core.kernel_cache import (
    KEPT,
    UNUSED,
    fingerprint,
    is_cold,
    kernel_cache_directory,
    mark_warm,
)
from tests.conftest import REPOSITORY

PACKAGE = REPOSITORY / "allocsim"


def names_in_kernels(tree: ast.Module) -> set[str]:
    """Every name that the kernels of a module use: functions, records, constants."""
    kernels = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and {"kernel", "intrinsic", "njit"} & {ast.unparse(by) for by in node.decorator_list}
    ]
    return {node.id for one in kernels for node in ast.walk(one) if isinstance(node, ast.Name)}


def kernel_sources() -> list[str]:
    """Every file of the package that has kernels, or defines a name that they use."""
    found = set()
    for file in PACKAGE.rglob("*.py"):
        tree = ast.parse(file.read_text())
        used = names_in_kernels(tree)
        found |= {file} if used else set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and used & {alias.name for alias in node.names}:
                found.add(REPOSITORY / f"{str(node.module).replace('.', '/')}.py")
    return sorted(str(file.relative_to(PACKAGE)) for file in found if file.is_file())


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of the package that can be edited."""
    skipped = shutil.ignore_patterns("__pycache__")
    return shutil.copytree(PACKAGE, tmp_path / "allocsim", ignore=skipped)


def test_kernel_sources_are_found() -> None:
    some = {"core/system.py", "designs/go2008/pagemap.py", "replay.py", "stamps.py"}
    assert some < set(kernel_sources())


@pytest.mark.parametrize("source", kernel_sources())
def test_edit_of_a_kernel_source_changes_the_fingerprint(copied: Path, source: str) -> None:
    before = fingerprint(copied)
    with (copied / source).open("a") as file:
        file.write("\nEDITED = 1\n")
    assert fingerprint(copied) != before


def test_new_kernel_source_changes_the_fingerprint(copied: Path) -> None:
    before = fingerprint(copied)
    (copied / "core" / "another.py").write_text("")
    assert fingerprint(copied) != before


def test_renamed_kernel_source_changes_the_fingerprint(copied: Path) -> None:
    before = fingerprint(copied)
    (copied / "core" / "system.py").rename(copied / "core" / "zzz.py")
    assert fingerprint(copied) != before


def test_text_moved_between_files_changes_the_fingerprint(copied: Path) -> None:
    first, second = copied / "core" / "raw.py", copied / "core" / "records.py"
    before = fingerprint(copied)
    text = first.read_bytes() + second.read_bytes()
    first.write_bytes(text[:-1])
    second.write_bytes(text[-1:])
    assert fingerprint(copied) != before


def test_same_sources_elsewhere_have_the_same_fingerprint(copied: Path) -> None:
    assert fingerprint(copied) == fingerprint() == fingerprint(PACKAGE)
    assert len(fingerprint()) == 16


def test_bounds_checking_has_a_fingerprint_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_BOUNDSCHECK", raising=False)
    before = fingerprint()
    monkeypatch.setenv("NUMBA_BOUNDSCHECK", "1")
    assert fingerprint() != before


@pytest.mark.parametrize("package", ["numba", "numpy"])
def test_other_version_has_a_fingerprint_of_its_own(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    before, version = fingerprint(), kernel_cache.version
    monkeypatch.setattr(
        kernel_cache, "version", lambda name: "0" if name == package else version(name)
    )
    assert fingerprint() != before


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that holds the user's cache and the temporary directory, both still empty."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return tmp_path


def test_directory_lies_in_the_users_cache(places: Path) -> None:
    expected = places / "cache" / "allocsim" / f"kernels-{fingerprint()}"
    assert kernel_cache_directory() == expected
    assert expected.stat().st_mode & 0o777 == 0o700


def test_directory_lies_in_the_home_without_xdg(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(places / "home"))
    directory = kernel_cache_directory()
    assert directory is not None
    assert directory.parent == places / "home" / ".cache" / "allocsim"


def test_directory_that_numba_names_comes_first(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(places / "named"))
    assert kernel_cache_directory() == places / "named" / f"kernels-{fingerprint()}"


def test_temporary_directory_serves_when_the_cache_cannot_be_written(places: Path) -> None:
    (places / "cache").write_text("a file, where a directory should be")
    directory = kernel_cache_directory()
    assert directory is not None
    assert directory.parent == places / "temporary" / f"allocsim-{os.getuid()}"


def test_directory_of_another_user_is_not_used(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = os.getuid()
    (places / "temporary" / f"allocsim-{mine + 1}").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    assert kernel_cache_directory() is None


def test_no_directory_is_none(places: Path) -> None:
    for name in ("cache", "temporary"):
        shutil.rmtree(places / name, ignore_errors=True)
        (places / name).write_text("a file")
    assert kernel_cache_directory() is None


@pytest.fixture
def others(places: Path) -> Path:
    """The user's cache with directories of other sources, used one after another long ago."""
    parent = places / "cache" / "allocsim"
    for age in range(KEPT + 3):
        (parent / f"kernels-{age}").mkdir(parents=True)
        os.utime(parent / f"kernels-{age}", (1000 - age, 1000 - age))
    return parent


def test_user_without_a_home_gets_the_temporary_directory(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    directory = kernel_cache_directory()
    assert directory is not None
    assert directory.parent == places / "temporary" / f"allocsim-{os.getuid()}"


def test_neither_home_nor_temporary_directory_is_none(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    (places / "cache").write_text("a file")
    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    assert kernel_cache_directory() is None


def test_of_the_directories_long_unused_only_the_newest_are_kept(others: Path) -> None:
    (others / "something else").mkdir()
    current = kernel_cache_directory()
    kept = {f"kernels-{age}" for age in range(KEPT)}
    assert current is not None
    assert {place.name for place in others.iterdir()} == kept | {current.name, "something else"}


def test_directory_that_was_used_of_late_is_kept(others: Path) -> None:
    """Its kernels may be loading now, in a process of other sources."""
    for place in others.iterdir():
        os.utime(place, (time.time() - UNUSED / 2,) * 2)
    before = set(others.iterdir())
    current = kernel_cache_directory()
    assert set(others.iterdir()) == before | {current}


def test_use_is_noted(places: Path) -> None:
    directory = kernel_cache_directory()
    assert directory is not None
    os.utime(directory, (1000, 1000))
    assert kernel_cache_directory() == directory
    assert directory.stat().st_mtime > time.time() - 1000


def test_directory_that_vanishes_meanwhile_is_no_trouble(places: Path) -> None:
    parent = places / "cache" / "allocsim"
    for age in range(KEPT + 1):
        (parent / f"kernels-{age}").mkdir(parents=True)
    (parent / "kernels-gone").symlink_to(parent / "nowhere")
    directory = kernel_cache_directory()
    assert directory is not None
    assert directory.parent == parent


def test_kernels_are_cold_until_they_are_marked_warm(tmp_path: Path) -> None:
    assert is_cold(tmp_path, "go2008")
    mark_warm(tmp_path, "go2008")
    assert not is_cold(tmp_path, "go2008")
    assert is_cold(tmp_path, "another")


def test_kernels_without_a_directory_stay_cold(tmp_path: Path) -> None:
    mark_warm(None, "go2008")
    mark_warm(tmp_path / "absent", "go2008")
    assert is_cold(None, "go2008")
    assert is_cold(tmp_path / "absent", "go2008")


FIRST_REFILL = """
from allocsim import Heap
heap = Heap(reserve=1 << 26)
usable = heap.usable_size(heap.malloc(1))
print(usable, heap.state.free_list[0, 0].length, heap.profile().counters["refills"])
"""


def run_first_refill(place: Path) -> str:
    """What the copied package in `place` does for malloc(1), in a process of its own."""
    (place / "script.py").write_text(FIRST_REFILL)
    environment = os.environ | {"XDG_CACHE_HOME": str(place / "cache"), "PYTHONPATH": str(place)}
    environment.pop("NUMBA_CACHE_DIR", None)
    ran = subprocess.run(
        [sys.executable, "script.py"], cwd=place, env=environment, capture_output=True, check=True
    )
    return ran.stdout.decode()


def machine_code(place: Path) -> set[str]:
    """The files of machine code below the user's cache."""
    return {str(file) for file in (place / "cache").rglob("*.nbc")}


@pytest.mark.skipif(PURE, reason="nothing is compiled in pure mode")
def test_edited_constant_of_a_called_kernel_is_used(copied: Path) -> None:
    place = copied.parent
    assert run_first_refill(place) == "8 1023 1\n"
    compiled = machine_code(place)
    assert compiled
    assert run_first_refill(place) == "8 1023 1\n"
    assert machine_code(place) == compiled, "the second run had to compile"
    source = copied / "designs" / "go2008" / "thread_cache.py"
    source.write_text(source.read_text().replace("OBJECTS = 1024", "OBJECTS = 512"))
    assert run_first_refill(place) == "8 511 1\n"
