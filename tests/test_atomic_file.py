"""A file is complete or absent, whatever happens while it is written."""

from pathlib import Path

import pytest

from allocsim.atomic_file import atomic_replace, atomic_write
from allocsim.errors import EnvironmentLacks


class Stop(BaseException):
    """Raised during a write, as a KeyboardInterrupt may be."""


@pytest.mark.parametrize("write", [atomic_replace, atomic_write])
@pytest.mark.parametrize("old", [b"old", None])
def test_file_is_whole_at_the_end_of_the_block(tmp_path: Path, write: object, old: bytes) -> None:
    path = tmp_path / "out"
    if old is not None:
        path.write_bytes(old)
    with write(path) as file:  # type: ignore[operator]
        file.write(b"new")
        assert path.exists() == (old is not None)
    assert [(place.name, place.read_bytes()) for place in tmp_path.iterdir()] == [("out", b"new")]


def write_and_fail(path: Path, error: type[BaseException]) -> None:
    """Write to a file, and raise `error` within the block."""
    with atomic_replace(path) as file:
        file.write(b"new")
        raise error


@pytest.mark.parametrize("error", [Stop, ValueError, OSError])
def test_failed_block_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    with pytest.raises(error):
        write_and_fail(path, error)
    assert [(place.name, place.read_bytes()) for place in tmp_path.iterdir()] == [("out", b"old")]


def test_system_error_becomes_an_allocsim_error_that_names_the_file(tmp_path: Path) -> None:
    failure = pytest.raises(EnvironmentLacks, match=r"cannot write '.*gone/out': No such file")
    with failure, atomic_write(tmp_path / "gone" / "out"):
        raise AssertionError("there is nothing to write to")


def test_link_to_itself_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("out")
    failure = pytest.raises(EnvironmentLacks, match=r"cannot write '.*/out': Too many levels of s")
    with failure, atomic_write(tmp_path / "out"):
        raise AssertionError("there is nothing to write to")


def test_device_is_written_to_as_it_is() -> None:
    with atomic_write(Path("/dev/null")) as file:
        file.write(b"new")
    failure = pytest.raises(EnvironmentLacks, match="cannot write '/dev/full': No space left")
    with failure, atomic_write(Path("/dev/full")) as file:
        file.write(b"new")
    assert Path("/dev/null").is_char_device()


def test_permissions_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with atomic_replace(path) as file:
        file.write(b"new")
    assert path.stat().st_mode & 0o777 == 0o640
