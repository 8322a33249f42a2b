"""Find installed libraries, and run code in processes that can load them."""

import subprocess
import sys
from functools import cache

import pytest

from allocsim.errors import EnvironmentLacks
from allocsim.libraries.environment import child_environment
from allocsim.libraries.find import KNOWN, find_library
from tests.conftest import REPOSITORY
from tests.equality.equality import require_modelled_library


def require(name: str) -> str:
    """Return the file of a library; skip the test if the library is not installed."""
    found = find_library(name)
    if found is None:
        pytest.skip(f"{name} is not installed: apt install {KNOWN[name].package}")
    return found


@cache
def _why_not_comparable() -> str:
    """Return why tcmalloc cannot be compared with the installed library, or "" if it can."""
    try:
        require_modelled_library()
    except EnvironmentLacks as lacking:
        return str(lacking)
    return ""


def require_modelled_tcmalloc() -> None:
    """Skip the test unless the library that the design tcmalloc reproduces is installed."""
    if _why_not_comparable():
        pytest.skip(_why_not_comparable())


def in_child(code: str, name: str, *more: str) -> str:
    """Run Python code in a fresh process that can load the library `name`; return its output."""
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
