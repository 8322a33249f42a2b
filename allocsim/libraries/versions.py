"""The versions of malloc libraries, and the list of those installed.

A version is the result of a call to the library. For the list, one child process that runs this
module loads all libraries, so that none is loaded into the user's process.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from collections.abc import Callable

from allocsim.errors import AllocsimError
from allocsim.libraries.counters import mallctl
from allocsim.libraries.environment import child_command, child_environment
from allocsim.libraries.find import KNOWN, find_library
from allocsim.libraries.load import LoadedLibrary, load

TIMEOUT = 60.0
"""Seconds after which the list is shown without versions."""


def read_version(library: LoadedLibrary) -> str | None:
    """Ask a library for its version; None if it has no known function for that."""
    for symbol, read in _READERS.items():
        if library.address(symbol):
            return read(library)
    return None


def describe_libraries() -> dict[str, str]:
    """Return for every library of KNOWN its version and file, or the package to install."""
    files = {name: find_library(name) for name in KNOWN}
    versions = _versions([name for name, file in files.items() if file])
    return {
        name: f"{versions.get(name, 'version unknown')}, {file}"
        if file
        else f"not installed; Debian's package is {KNOWN[name].package}"
        for name, file in files.items()
    }


def _versions(names: list[str]) -> dict[str, str]:
    """Return the versions of installed libraries, without those that cannot be loaded."""
    command = child_command(__name__, *names)
    environment = child_environment("jemalloc")
    try:
        child = subprocess.run(
            command, env=environment, capture_output=True, timeout=TIMEOUT, check=True
        )
        versions: dict[str, str] = json.loads(child.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}
    return versions


def _loaded_versions(names: list[str]) -> dict[str, str]:
    """Load libraries into this process and ask for their versions."""
    versions = {}
    for name in names:
        try:
            version = read_version(load(name))
        except AllocsimError:
            continue
        if version:
            versions[name] = version
    return versions


def _text(function: Callable[..., object], *arguments: object) -> str:
    """Return the result of a C function that returns a string."""
    function.restype = ctypes.c_char_p  # type: ignore[attr-defined]
    text = function(*arguments)
    return text.decode() if isinstance(text, bytes) else ""


def _jemalloc(library: LoadedLibrary) -> str:
    """Return the version, as in "5.3.0": mallctl's "version" without the commit."""
    text, size = ctypes.c_char_p(), ctypes.c_size_t(ctypes.sizeof(ctypes.c_char_p))
    mallctl(library)(b"version", ctypes.byref(text), ctypes.byref(size), None, 0)
    return (text.value or b"").decode().partition("-")[0]


def _mimalloc(library: LoadedLibrary) -> str:
    """Return the version, as in "2.0.9", for which mi_version returns 209."""
    number = int(library.handle.mi_version())
    return f"{number // 100}.{number // 10 % 10}.{number % 10}"


_READERS: dict[str, Callable[[LoadedLibrary], str]] = {
    "tc_version": lambda library: _text(library.handle.tc_version, None, None, None),
    "mallctl": _jemalloc,
    "je_mallctl": _jemalloc,
    "mi_version": _mimalloc,
    "gnu_get_libc_version": lambda library: _text(library.handle.gnu_get_libc_version),
}
"""The function that reads a library's version, by a function that only this library has."""


if __name__ == "__main__":
    print(json.dumps(_loaded_versions(sys.argv[1:])))  # noqa: T201
