"""The directories of compiled kernels: their location, and when an old one is deleted."""

import errno
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from allocsim.core import kernel_cache
from allocsim.core.kernel_cache import (
    MARKER,
    MARKER_TEXT,
    MAX_UNUSED,
    UNUSED,
    environment_key,
    kernel_cache_directories,
    replace_file,
)


def kernel_cache_directory() -> Path | None:
    """Return the directory that gets new kernels."""
    return next(iter(kernel_cache_directories()), None)


def test_replaced_file_leaves_no_temporary_one(tmp_path: Path) -> None:
    replace_file(tmp_path / "new" / "file", b"one")
    replace_file(tmp_path / "new" / "file", b"two")
    assert [place.read_bytes() for place in (tmp_path / "new").iterdir()] == [b"two"]


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that holds the user's cache and the temporary directory, both still empty."""
    for name in ("NUMBA_CACHE_DIR", "TEMP", "TMP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(kernel_cache, "TEMPORARY", ())
    (tmp_path / "temporary").mkdir()
    return tmp_path


def test_directory_is_in_the_users_cache(places: Path) -> None:
    expected = places / "cache" / "allocsim" / f"kernels-{environment_key()}"
    assert kernel_cache_directory() == expected
    assert expected.stat().st_mode & 0o777 == 0o700


def test_directory_is_in_the_home_without_xdg(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(places / "home"))
    (places / "home").mkdir()
    directory = kernel_cache_directory()
    assert directory is not None
    assert directory.parent == places / "home" / ".cache" / "allocsim"


def test_missing_home_is_not_created(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(places / "missing"))
    directory = kernel_cache_directory()
    assert directory is not None
    assert directory.parent.parent == places / "temporary"
    assert not (places / "missing").exists()


def test_no_directory_lies_in_the_current_one(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(places)
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, "relative")
    directory = kernel_cache_directory()
    assert directory is not None
    assert directory.parent.parent == places / "temporary"
    assert not (places / "relative").exists()


def test_directory_set_for_numba_comes_first(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(places / "named"))
    parent = places / "named" / "allocsim"
    assert kernel_cache_directory() == parent / f"kernels-{environment_key()}"


def test_temporary_directory_is_used_when_the_cache_cannot_be_written(places: Path) -> None:
    (places / "cache").write_text("a file, where a directory should be")
    directory = kernel_cache_directory()
    assert directory is not None
    assert directory.parent == places / "temporary" / f"allocsim-{os.getuid()}"


def frozen(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    """Let every write below `place` fail, as on a file system that is mounted read-only."""

    def refusing(real: Callable[..., None]) -> Callable[..., None]:
        def call(path: Path, *arguments: Any, **options: Any) -> None:
            if Path(path).is_relative_to(place):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            real(path, *arguments, **options)

        return call

    monkeypatch.setattr(os, "utime", refusing(os.utime))


def test_directory_that_cannot_be_written_is_still_read(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (before,) = kernel_cache_directories()
    frozen(monkeypatch, places / "cache")
    new, also = kernel_cache_directories()
    assert (new.parent.parent, also) == (places / "temporary", before)
    frozen(monkeypatch, places)
    assert kernel_cache_directories() == [before, new]


def test_directory_that_cannot_be_written_and_is_not_ours_is_not_read(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (before,) = kernel_cache_directories()
    (before / MARKER).unlink()
    frozen(monkeypatch, places)
    assert kernel_cache_directories() == []


def test_directory_of_another_user_is_not_used(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = os.getuid()
    (places / "temporary" / f"allocsim-{mine + 1}").mkdir()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    assert kernel_cache_directory() is None


@pytest.mark.parametrize("mode", [0o777, 0o720])
def test_temporary_directory_that_others_can_write_to_is_not_used(places: Path, mode: int) -> None:
    (places / "cache").write_text("a file, where a directory should be")
    place = places / "temporary" / f"allocsim-{os.getuid()}"
    place.mkdir()
    place.chmod(mode)
    assert kernel_cache_directory() is None


def test_temporary_directory_that_is_a_link_is_not_used(places: Path) -> None:
    (places / "cache").write_text("a file, where a directory should be")
    (places / "elsewhere").mkdir(mode=0o700)
    (places / "temporary" / f"allocsim-{os.getuid()}").symlink_to(places / "elsewhere")
    assert kernel_cache_directory() is None


def test_directory_of_the_users_cache_that_is_a_link_is_not_used(places: Path) -> None:
    directory = places / "cache" / "allocsim" / f"kernels-{environment_key()}"
    directory.parent.mkdir(parents=True)
    (places / "elsewhere").mkdir(mode=0o700)
    directory.symlink_to(places / "elsewhere")
    found = kernel_cache_directory()
    assert found is not None
    assert found.parent == places / "temporary" / f"allocsim-{os.getuid()}"
    assert not list((places / "elsewhere").iterdir())


def test_no_other_user_can_write_to_a_new_cache(places: Path) -> None:
    before = os.umask(0)
    try:
        directory = kernel_cache_directory()
    finally:
        os.umask(before)
    assert directory is not None
    created = (directory, directory.parent, places / "cache")
    assert [place.stat().st_mode & 0o777 for place in created] == [0o700] * 3


def test_unwritable_places_give_no_directory(places: Path) -> None:
    for name in ("cache", "temporary"):
        shutil.rmtree(places / name, ignore_errors=True)
        (places / name).write_text("a file")
    assert kernel_cache_directory() is None


@pytest.fixture
def others(places: Path) -> Path:
    """The user's cache with directories of other copies of allocsim, each last used long ago."""
    parent = places / "cache" / "allocsim"
    for age in range(MAX_UNUSED + 3):
        (parent / f"kernels-{age}").mkdir(parents=True)
        (parent / f"kernels-{age}" / MARKER).write_text(MARKER_TEXT)
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


def test_without_home_and_temporary_directory_there_is_no_directory(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (places / "cache").write_text("a file")
    monkeypatch.delenv("TMPDIR")
    assert kernel_cache_directory() is None


@pytest.mark.parametrize("value", [".", "temporary", "", "../x"])
def test_current_directory_is_never_the_temporary_one(
    places: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    """The current directory may be a download, and kernels found there would be run as code."""
    (places / "cache").write_text("a file")
    monkeypatch.chdir(places)
    monkeypatch.setenv("TMPDIR", value)
    assert kernel_cache_directory() is None
    assert not list(places.rglob("allocsim-*"))


def test_only_the_newest_unused_directories_are_kept(others: Path) -> None:
    (others / "something else").mkdir()
    current = kernel_cache_directory()
    kept = {f"kernels-{age}" for age in range(MAX_UNUSED)}
    assert current is not None
    assert {place.name for place in others.iterdir()} == kept | {current.name, "something else"}


def test_recently_used_directories_are_kept(others: Path) -> None:
    """Another process may be loading kernels from one of them."""
    for place in others.iterdir():
        os.utime(place, (time.time() - UNUSED / 2,) * 2)
    before = set(others.iterdir())
    current = kernel_cache_directory()
    assert set(others.iterdir()) == before | {current}


def test_use_is_recorded(places: Path) -> None:
    directory = kernel_cache_directory()
    assert directory is not None
    os.utime(directory, (1000, 1000))
    assert kernel_cache_directory() == directory
    assert directory.stat().st_mtime > time.time() - 1000


def test_directory_that_vanishes_meanwhile_is_ignored(places: Path) -> None:
    parent = places / "cache" / "allocsim"
    for age in range(MAX_UNUSED + 1):
        (parent / f"kernels-{age}").mkdir(parents=True)
    (parent / "kernels-gone").symlink_to(parent / "nowhere")
    directory = kernel_cache_directory()
    assert directory is not None
    assert directory.parent == parent


@pytest.mark.parametrize("content", [None, "", "Signature: 8a477f597d28d172789f06886806bc55\n"])
def test_directory_without_our_marker_is_never_deleted(others: Path, content: str | None) -> None:
    for place in list(others.iterdir()):
        (place / MARKER).unlink()
        if content is not None:
            (place / MARKER).write_text(content)
        os.utime(place, (1000, 1000))
    before = set(others.iterdir())
    assert before <= {*others.iterdir(), kernel_cache_directory()}
    assert before < set(others.iterdir())


def test_link_to_a_directory_of_ours_is_not_followed(others: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / MARKER).write_text(MARKER_TEXT)
    os.utime(elsewhere, (1, 1))
    (others / "kernels-link").symlink_to(elsewhere)
    kernel_cache_directory()
    assert (elsewhere / MARKER).exists()


def test_directory_gets_the_marker_and_keeps_it(places: Path) -> None:
    directory = kernel_cache_directory()
    assert directory is not None
    assert (directory / MARKER).read_text() == MARKER_TEXT
    (directory / MARKER).unlink()
    kernel_cache_directory()
    assert (directory / MARKER).read_text() == MARKER_TEXT
