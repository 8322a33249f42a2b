"""Find a malloc library on this machine, by a name (KNOWN) or by a path."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from allocsim.errors import EnvironmentLacks, InputError, UnknownName

PREFIX = "lib:"
"""Distinguishes the name of a library from the name of a design."""


@dataclass(frozen=True)
class Known:
    """A library that can be named without its path."""

    files: tuple[str, ...]
    """Names of its shared object, in order of preference."""
    package: str
    """Its Debian package."""
    prefix: str = ""
    """Prefix of its functions' names."""


KNOWN = {
    "glibc": Known(("libc.so.6",), "libc6"),
    "jemalloc": Known(("libjemalloc.so.2", "libjemalloc.so"), "libjemalloc2"),
    "tcmalloc": Known(
        ("libtcmalloc_minimal.so.4", "libtcmalloc.so.4", "libtcmalloc_minimal.so"),
        "libtcmalloc-minimal4",
        "tc_",
    ),
    "mimalloc": Known(
        ("libmimalloc.so.2", "libmimalloc.so.3", "libmimalloc.so"), "libmimalloc2.0", "mi_"
    ),
}
"""The libraries that can be named, by their names."""

_PATTERNS = ("usr/local/lib", "usr/lib/*-linux-gnu*", "lib/*-linux-gnu*")
_DIRECTORIES = ("/usr/lib64", "/usr/lib", "/lib64", "/lib", "/home/linuxbrew/.linuxbrew/lib")


def find_library(name: str) -> str | None:
    """Return the file of a library of KNOWN, or None if it is not installed.

    Raises UnknownName if KNOWN does not have the name.
    """
    if name not in KNOWN:
        raise UnknownName("library", name, KNOWN)
    for file in KNOWN[name].files:
        for directory in _directories():
            if (Path(directory) / file).is_file():
                return str(Path(directory) / file)
    return None


def is_path(name: str) -> bool:
    """Return whether a library is given by its path, not by a name of KNOWN."""
    return "/" in name or ".so" in name


def require_no_library(design: str) -> None:
    """Raise InputError if `design` is the name of a malloc library."""
    from allocsim.designs import design_summaries  # loads Numba, which finding does not need

    name = design.removeprefix(PREFIX)
    if design not in design_summaries() and (design != name or name in KNOWN):
        raise InputError(
            f"'{design}' is a library, not a design; use "
            f"`allocsim compare WORKLOAD --on {PREFIX}{name}`"
        )


def require_library(name: str) -> str:
    """Return the file of a library, given by a name of KNOWN, a path, or PATH:PREFIX.

    Raises EnvironmentLacks if there is no such file; for a name, the error says how to install it.
    """
    if not is_path(name):
        file = find_library(name)
        if file is None:
            raise EnvironmentLacks(
                f"{name} is not installed: install Debian's {KNOWN[name].package}, or give "
                f"another build as {PREFIX}/path/to/{KNOWN[name].files[0]}"
            )
        return file
    path = split_prefix(name)[0]
    if not Path(path).is_file():
        raise EnvironmentLacks(f"'{path}': no such library")
    return str(Path(path).resolve())


def split_prefix(name: str) -> tuple[str, str | None]:
    """Split PATH:PREFIX into its parts. The prefix is None if `name` is only a path."""
    path, colon, prefix = name.rpartition(":")
    if not colon or Path(name).is_file():
        return name, None
    return path, prefix


def _directories() -> Iterator[str]:
    """Yield the directories to search: those of the user, of the system, and of this Python."""
    yield from filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":"))
    for pattern in _PATTERNS:
        yield from sorted(map(str, Path("/").glob(pattern)))
    yield from _DIRECTORIES
    yield str(Path(sys.prefix) / "lib")
