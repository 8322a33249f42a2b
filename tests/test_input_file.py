"""Checks of a file that the user names."""

import os
from pathlib import Path

import pytest

from allocsim.errors import InputError
from allocsim.input_file import names_file, require_regular


@pytest.mark.parametrize("name", ["missing", "x" * 5000, "nul\0"])
def test_name_without_a_file_is_accepted(name: str) -> None:
    assert not names_file(Path(name))
    require_regular(Path(name))


def test_pipe_and_directory_are_not_regular_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(InputError, match="is not a regular file"):
            require_regular(path)
