"""What tests of libraries share: processes in which one may be loaded, and which are here."""

import subprocess
import sys

import pytest

from allocsim.rivals.environment import child_environment
from allocsim.rivals.library import KNOWN, find_library
from tests.conftest import REPOSITORY


def require(name: str) -> str:
    """The file of a library; skips, naming the package, unless it is installed."""
    found = find_library(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt install {KNOWN[name].package}")
    return found


def in_child(code: str, name: str, *more: str) -> str:
    """What Python code prints in a fresh process, in which the library `name` can be loaded."""
    environment = {**child_environment(name), "PYTHONPATH": str(REPOSITORY)}
    child = subprocess.run(
        [sys.executable, "-c", code, name, *more],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    return child.stdout
