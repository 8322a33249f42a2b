"""The work directory of a recording."""

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
