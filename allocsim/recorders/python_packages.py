"""The version of a package in another Python interpreter, and the command to install it there.

The interpreter runs a short program that reports the version. The current directory is not on the
program's path, so that a file in it cannot be mistaken for the package.
"""

from __future__ import annotations

import json
import shlex
from functools import lru_cache
from typing import NamedTuple

from allocsim.recorders.base import run_command

# For Python 3.7 and newer. The option -P exists only since Python 3.11, so the program itself
# removes the current directory, an empty string, from its path.
_QUESTION = """
import sys
sys.path[:] = [path for path in sys.path if path]
import importlib.util, json, os, sysconfig
try:
    from importlib.metadata import version
    found = version(sys.argv[1])
except Exception:
    found = None
spec = importlib.util.find_spec(sys.argv[1]) if found else None
stdlib = sysconfig.get_path("stdlib")
print(json.dumps([
    found,
    importlib.util.find_spec("pip") is not None,
    os.path.join(os.path.dirname(spec.origin), "__main__.py") if spec else None,
    sys.prefix == sys.base_prefix and os.path.exists(os.path.join(stdlib, "EXTERNALLY-MANAGED")),
]))
"""


class Answer(NamedTuple):
    """The facts that an interpreter reports about a package."""

    version: str | None = None
    """Version of the package. None if it is not installed."""
    has_pip: bool = False
    main: str | None = None
    """File that `python -m PACKAGE` runs, if the package is installed."""
    is_managed: bool = False
    """Whether the system's package manager owns the interpreter's packages. If so, pip refuses to
    install packages."""


@lru_cache(maxsize=8)
def _ask(python: str, package: str) -> Answer:
    """Return what an interpreter reports about a package; an empty Answer if it cannot be run."""
    result = run_command(python, "-c", _QUESTION, package)
    try:
        return Answer(*json.loads(result.stdout)) if result.returncode == 0 else Answer()
    except (ValueError, TypeError):
        return Answer()


def version_in(python: str, package: str) -> str | None:
    """Return the version of a package in an interpreter, or None if it is not installed."""
    return _ask(python, package).version


def main_of(python: str, package: str) -> str | None:
    """Return the file that `-m PACKAGE` runs, or None if the package is not installed.

    Callers run the file by its path, because -m would put the current directory on Python's path.
    """
    return _ask(python, package).main


def how_to_install(requirement: str, python: str) -> str:
    """Return the command that installs a package for an interpreter.

    If the system manages the interpreter's packages, the command creates a virtual environment and
    installs the package there. The returned text then ends with the advice to use the Python of
    that environment.
    """
    answer, quoted = _ask(python, requirement.partition("=")[0]), shlex.quote(python)
    if answer.has_pip and not answer.is_managed:
        return f"{quoted} -m pip install {requirement}"
    if not answer.is_managed:
        return f"{quoted} -m ensurepip && {quoted} -m pip install {requirement}"
    return (
        f"{quoted} -m venv --system-site-packages env && env/bin/python -m pip install "
        f"{requirement}, then use env/bin/python"
    )
