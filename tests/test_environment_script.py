"""scripts/environment: the messages if it cannot set up the environment."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

UNPRIVILEGED = 65534


@pytest.fixture
def clone() -> Iterator[Path]:
    """A clone without .venv that another user can read, but not write to."""
    directory = Path(tempfile.mkdtemp())
    try:
        (directory / "scripts").mkdir()
        shutil.copy(REPOSITORY / "scripts" / "environment", directory / "scripts")
        (directory / "pyproject.toml").touch()
        directory.chmod(0o555)
        yield directory
    finally:
        directory.chmod(0o755)
        shutil.rmtree(directory)


def test_clone_of_another_user_is_named(clone: Path) -> None:
    done = subprocess.run(
        [clone / "scripts" / "environment"],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": os.defpath, "PYTHON": "true"},
        user=UNPRIVILEGED if os.geteuid() == 0 else None,
    )
    assert (done.returncode, done.stdout) == (3, "")
    expected = f"cannot set up .venv: '{clone}' cannot be written; run this once as its owner\n"
    assert done.stderr == expected
