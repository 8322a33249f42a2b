"""The versions of malloc libraries, and the list of the installed ones.

Most libraries have a function that returns the version. For the list, a child process runs this
module and loads all libraries, so that none of them is loaded into the user's process.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable

import msgspec

from allocsim.errors import AllocsimError
from allocsim.libraries.counters import mallctl
from allocsim.libraries.environment import child_environment
from allocsim.libraries.find import KNOWN, find_library
from allocsim.libraries.load import LoadedLibrary, load
from allocsim.python_child import limit_output, module_command, output_of

TIMEOUT = 60.0
"""Seconds that the child process may take. After that, the list is shown without versions."""


def read_version(library: LoadedLibrary) -> str | None:
    """Return the version of a library, or None if it has no function that `_READERS` lists."""
    for symbol, read in _READERS.items():
        if library.address(library.prefix + symbol) or library.address(symbol):
            return read(library)
    return None


def describe_libraries() -> dict[str, str]:
    """Return a text for each library of KNOWN: its version and file, or the package to install."""
    files = {name: find_library(name) for name in KNOWN}
    versions = _versions([name for name, file in files.items() if file])
    return {
        name: f"{versions.get(name, 'version unknown')}, {file}"
        if file
        else f"not installed; Debian's package is {KNOWN[name].package}"
        for name, file in files.items()
    }


def _versions(names: list[str]) -> dict[str, str]:
    """Return the versions of installed libraries, or {} if the child process fails.

    A library that cannot be loaded is left out.
    """
    command = module_command(__name__, *names)
    try:
        output = output_of(command, child_environment("jemalloc"), TIMEOUT)
        return msgspec.json.decode(output or b"", type=dict[str, str])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _loaded_versions(names: list[str]) -> dict[str, str]:
    """Load libraries into this process and return their versions."""
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
    return text.decode(errors="replace") if isinstance(text, bytes) else ""


def _jemalloc(library: LoadedLibrary) -> str:
    """Return the version, such as "5.3.0": the "version" of mallctl without the commit."""
    text, size = ctypes.c_char_p(), ctypes.c_size_t(ctypes.sizeof(ctypes.c_char_p))
    mallctl(library)(b"version", ctypes.byref(text), ctypes.byref(size), None, 0)
    return (text.value or b"").decode(errors="replace").partition("-")[0]


def _mimalloc(library: LoadedLibrary) -> str:
    """Return the version: mi_version returns 2.0.9 as 209, and 3.4.3 as 30403."""
    number = int(library.handle.mi_version())
    base = 100 if number >= 10_000 else 10
    return f"{number // base**2}.{number // base % base}.{number % base}"


def _gc(library: LoadedLibrary) -> str:
    """Return the version, such as "8.2.2": GC_get_version returns a byte for each part."""
    number = int(library.handle.GC_get_version())
    return f"{number >> 16}.{number >> 8 & 255}.{number & 255}"


_READERS: dict[str, Callable[[LoadedLibrary], str]] = {
    "tc_version": lambda library: _text(library.handle.tc_version, None, None, None),
    "mallctl": _jemalloc,
    "mi_version": _mimalloc,
    "GC_get_version": _gc,
    "TBB_runtime_version": lambda library: _text(library.handle.TBB_runtime_version),
    "gnu_get_libc_version": lambda library: _text(library.handle.gnu_get_libc_version),
}
"""For each symbol of a C function: a Python function that calls it and returns the version. If a
library has several of these symbols, the first one is used."""


def main(names: list[str]) -> None:
    """Write the versions to standard output as JSON.

    Output of a library to standard output is redirected to standard error.
    """
    limit_output()
    standard_output = os.dup(1)
    os.dup2(2, 1)
    os.write(standard_output, msgspec.json.encode(_loaded_versions(names)))


if __name__ == "__main__":
    main(sys.argv[1:])
