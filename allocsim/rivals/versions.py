"""What the libraries of this machine say of their versions, all asked in one child process.

Above `library` and `counters`; below the list that shows it. Its one rule: a library is never
loaded into the process of the command line.
"""

from __future__ import annotations

import json
import subprocess
import sys

from allocsim.errors import AllocsimError
from allocsim.libraries.counters import read_version
from allocsim.libraries.environment import child_environment
from allocsim.libraries.find import KNOWN, find_library, load

PATIENCE = 60
"""Seconds that it may take."""


def describe_libraries() -> dict[str, str]:
    """For every library of KNOWN its version and file, or the package that brings it."""
    here = [name for name in KNOWN if find_library(name)]
    versions = _versions(here)
    return {
        name: f"{versions.get(name, 'version unknown')}, {find_library(name)}"
        if name in here
        else f"not here; Debian's package is {known.package}"
        for name, known in KNOWN.items()
    }


def _versions(names: list[str]) -> dict[str, str]:
    """The versions of libraries that are here; those that cannot be loaded are left out."""
    command = [sys.executable, "-m", __name__, *names]
    environment = child_environment("jemalloc")
    try:
        child = subprocess.run(
            command, env=environment, capture_output=True, timeout=PATIENCE, check=True
        )
        found: dict[str, str] = json.loads(child.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}
    return found


def _loaded_versions(names: list[str]) -> dict[str, str]:
    """The child's part."""
    found = {}
    for name in names:
        try:
            version = read_version(load(name))
        except AllocsimError:
            continue
        if version:
            found[name] = version
    return found


if __name__ == "__main__":
    print(json.dumps(_loaded_versions(sys.argv[1:])))  # noqa: T201
