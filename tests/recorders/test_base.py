"""The work directory of a recording."""

import re
from errno import EFBIG, ENOENT, ENOSPC
from pathlib import Path

import pytest

from allocsim.errors import EnvironmentLacks
from allocsim.recorders.base import work_directory


def test_work_directory_is_private_and_removed_after_its_block() -> None:
    with work_directory() as directory:
        (directory / "file").write_text("x")
        assert directory.stat().st_mode & 0o777 == 0o700
    assert not directory.exists()


def test_directory_that_cannot_be_created_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/proc/nowhere")
    message = "cannot create '/proc/nowhere/allocsim-"
    with pytest.raises(EnvironmentLacks, match=message), work_directory():
        pass


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (ENOSPC, "No space left on device; set TMPDIR to another directory"),
        (EFBIG, "File too large; raise the limit (ulimit -f)"),
    ],
)
def test_directory_without_room_is_an_error_before_the_program_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, reason: str
) -> None:
    def full(*_: int) -> None:
        raise OSError(number, reason.partition(";")[0])

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("os.posix_fallocate", full)
    message = f"cannot write in '{tmp_path}': {reason}"
    with pytest.raises(EnvironmentLacks, match=re.escape(message)), work_directory():
        pass
    assert not [*tmp_path.iterdir()]


def test_missing_temporary_directory_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError(ENOENT, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr("tempfile.gettempdir", none)
    with (
        pytest.raises(EnvironmentLacks, match=r"directory found in .*; set TMPDIR"),
        work_directory(),
    ):
        pass
