"""Find a malloc library on this machine, by a name (KNOWN) or by a path."""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from allocsim.errors import EnvironmentLacks, InputError, UnknownName
from allocsim.input_file import is_file
from allocsim.libraries.names import is_path, split_prefix, split_settings

PREFIX = "lib:"
"""Start of a library's name, to distinguish it from the name of a design."""


_SCUDO_MACHINES = ("-x86_64", "-aarch64")

_PATTERNS = (
    *("usr/local/lib", "usr/lib/*-linux-gnu*", "lib/*-linux-gnu*"),
    "usr/lib/llvm-*/lib/clang/*/lib/linux",
)
_DIRECTORIES = ("/usr/lib64", "/usr/lib", "/lib64", "/lib", "/home/linuxbrew/.linuxbrew/lib")
_WHEELS = ("*.libs", "cmeel.prefix/lib")
"""Directories of installed Python packages in which wheels put shared libraries."""


@dataclass(frozen=True)
class Known:
    """A library that can be named without its path."""

    files: tuple[str, ...]
    """Names of its shared object, in order of preference."""
    package: str
    """Its Debian package."""
    prefixes: tuple[str, ...] = ("",)
    """Prefixes of its functions' names, in order of preference."""
    is_default: bool = True
    """Whether `compare` measures the library if no allocator is named."""


KNOWN = {
    "glibc": Known(("libc.so.6",), "libc6"),
    "jemalloc": Known(
        ("libjemalloc.so.2", "libjemalloc.so"), "libjemalloc2", ("", "je_", "_rjem_", "jemalloc_")
    ),
    "tcmalloc": Known(
        ("libtcmalloc_minimal.so.4", "libtcmalloc.so.4", "libtcmalloc_minimal.so"),
        "libtcmalloc-minimal4",
        ("tc_",),
    ),
    "mimalloc": Known(
        ("libmimalloc.so.2", "libmimalloc.so.3", "libmimalloc.so"), "libmimalloc2.0", ("mi_",)
    ),
    "scudo": Known(
        tuple(f"libclang_rt.scudo_standalone{end}.so" for end in ("", *_SCUDO_MACHINES)),
        "libclang-rt-14-dev",
        is_default=False,
    ),
    "tbb": Known(("libtbbmalloc.so.2",), "libtbbmalloc2", ("scalable_",), is_default=False),
    "gc": Known(("libgc.so.1",), "libgc1", ("GC_",), is_default=False),
}
"""The libraries that users can give by name."""


def default_libraries() -> list[str]:
    """Return the names of the libraries that `compare` measures if no allocator is named."""
    return [name for name, known in KNOWN.items() if known.is_default]


def find_library(name: str) -> str | None:
    """Return the file of a library of KNOWN, or None if it is not installed.

    Raises UnknownName if KNOWN does not have the name.
    """
    if name not in KNOWN:
        raise UnknownName("library", name, KNOWN)
    for file in KNOWN[name].files:
        stem, dot, ending = file.partition(".")
        for directory in map(Path, _directories()):
            # auditwheel puts a hash of 8 digits into the names of a wheel's libraries.
            hashed = directory.glob(f"{stem}-????????{dot}{ending}")
            existing = next(filter(Path.is_file, (directory / file, *hashed)), None)
            if existing is not None:
                return str(existing)
    return None


def is_own_glibc(library: str) -> bool:
    """Return whether a library is the glibc of this process. Settings in its name are ignored."""
    name = split_settings(library)[0]
    if not is_path(name):
        return name == "glibc"
    glibc = find_library("glibc")
    return glibc is not None and _is_same(split_prefix(name)[0], glibc)


def _is_same(path: str, other: str) -> bool:
    """Return whether `path` is the file `other`, or False if `path` does not exist."""
    return is_file(path) and Path(path).samefile(other)


def require_no_library(design: str) -> None:
    """Raise InputError if `design` is the name of a malloc library."""
    from allocsim.designs import design_summaries  # imported here, because it loads Numba

    name = design.removeprefix(PREFIX)
    if design not in design_summaries() and (design != name or name in KNOWN):
        raise InputError(
            f"'{design}' is a library, not a design; use "
            f"`allocsim compare WORKLOAD --on {PREFIX}{name}`"
        )


def require_library(name: str) -> str:
    """Return the file of a library, given by a name of KNOWN, a path, or PATH:PREFIX.

    PREFIX is the prefix of the names of the library's functions. Settings at the end of `name` are
    ignored. Raises EnvironmentLacks if there is no such file. For a name of KNOWN, the error says
    how to install the library.
    """
    name = split_settings(name)[0]
    if not is_path(name):
        file = find_library(name)
        if file is None:
            raise EnvironmentLacks(
                f"{name} is not installed: install Debian's {KNOWN[name].package}, or give "
                f"another build as {PREFIX}/path/to/{KNOWN[name].files[0]}"
            )
        return file
    path = split_prefix(name)[0]
    if not is_file(path):
        raise EnvironmentLacks(f"'{path}': no such library")
    return str(Path(path).resolve())


def _directories() -> Iterator[str]:
    """Yield the directories to search: the user's, the system's, and those of this Python."""
    yield from filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":"))
    for pattern in _PATTERNS:
        yield from sorted(map(str, Path("/").glob(pattern)))
    yield from _DIRECTORIES
    yield str(Path(sys.prefix) / "lib")
    for packages in site.getsitepackages():
        for pattern in _WHEELS:
            yield from sorted(map(str, Path(packages).glob(pattern)))
