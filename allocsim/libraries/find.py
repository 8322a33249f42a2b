"""Finding a malloc library on this machine, and loading it into the process.

A lookup in a loaded library also searches the libraries that it needs, and so finds glibc's malloc.
A function therefore counts only if it is in the library's own file.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from allocsim.designs import design_summaries
from allocsim.errors import EnvironmentLacks, InputError, UnknownName
from allocsim.libraries.state import FUNCTIONS, Library

PREFIX = "lib:"
"""Distinguishes a library's name from a design's."""


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
"""The libraries that have names."""

PREFIXES = ("tc_", "mi_", "je_", "rp", "sn_", "dl", "")
"""Prefixes of function names that are tried for a library given by its path, in this order."""

_PATTERNS = ("usr/local/lib", "usr/lib/*-linux-gnu*", "lib/*-linux-gnu*")
_DIRECTORIES = ("/usr/lib64", "/usr/lib", "/lib64", "/lib", "/home/linuxbrew/.linuxbrew/lib")


@dataclass(frozen=True)
class LoadedLibrary:
    """A library in this process."""

    name: str
    """A name of KNOWN, or what the user gave."""
    path: str
    """The file that the dynamic linker loaded."""
    prefix: str
    handle: ctypes.CDLL
    state: Library
    """The heap for the driver."""

    def address(self, symbol: str) -> int:
        """The address of a function of the library itself; 0 if it has no such function."""
        return _own_address(self.handle, symbol)


def load(name: str) -> LoadedLibrary:
    """Load a library by a name of KNOWN, a path, or PATH:PREFIX; it calls its own functions.

    EnvironmentLacks, naming the package, if it is not installed; InputError if it has no malloc.
    """
    path, prefixes = _path_and_prefixes(name)
    flags = os.RTLD_LOCAL | os.RTLD_DEEPBIND | os.RTLD_NOW
    try:
        handle = ctypes.CDLL(path, mode=flags)
    except OSError as error:
        raise EnvironmentLacks(f"{name}: {error}") from None
    for prefix in prefixes:
        addresses = [_function(handle, prefix, function) for function in FUNCTIONS]
        if all(addresses):
            state = Library(np.array(addresses, np.int64))
            return LoadedLibrary(name, _file(handle), prefix, handle, state)
    wanted = f"{prefixes[0]}malloc" if len(prefixes) == 1 else "malloc under any known prefix"
    raise InputError(
        f"'{path}' has no {wanted} with all of {', '.join(FUNCTIONS)}; "
        f"add the prefix of their names, as in {PREFIX}{path}:my_"
    )


def find_library(name: str) -> str | None:
    """The file of a library of KNOWN; None if it is not installed."""
    if name not in KNOWN:
        raise UnknownName("library", name, KNOWN)
    for file in KNOWN[name].files:
        for directory in _directories():
            if (Path(directory) / file).is_file():
                return str(Path(directory) / file)
    return None


def is_path(name: str) -> bool:
    """Whether a library is given by its path, not by a name of KNOWN."""
    return "/" in name or ".so" in name


def require_no_library(design: str) -> None:
    """Raise InputError if `design` is the name of a malloc library."""
    name = design.removeprefix(PREFIX)
    if design not in design_summaries() and (design != name or name in KNOWN):
        raise InputError(
            f"'{design}' is a library, not a design; use "
            f"`allocsim compare WORKLOAD --on {PREFIX}{name}`"
        )


def require_library(name: str) -> str:
    """The file of a library given by name or path; EnvironmentLacks says how to get it."""
    if not is_path(name):
        file = find_library(name)
        if file is None:
            raise EnvironmentLacks(
                f"{name} is not installed: install Debian's {KNOWN[name].package}, or give "
                f"another build as {PREFIX}/path/to/{KNOWN[name].files[0]}"
            )
        return file
    path = _split(name)[0]
    if not Path(path).is_file():
        raise EnvironmentLacks(f"'{path}': no such library")
    return str(Path(path).resolve())


def _path_and_prefixes(name: str) -> tuple[str, tuple[str, ...]]:
    """The file to load for `name`, and the prefixes of its functions to try."""
    path = require_library(name)
    if not is_path(name):
        # dlopen of a path could load a second glibc; by its name it is that of this process.
        return ("libc.so.6" if name == "glibc" else path), (KNOWN[name].prefix,)
    prefix = _split(name)[1]
    return path, PREFIXES if prefix is None else (prefix,)


def _split(name: str) -> tuple[str, str | None]:
    """Split PATH:PREFIX; the prefix is None if there is none."""
    path, colon, prefix = name.rpartition(":")
    if not colon or Path(name).is_file():
        return name, None
    return path, prefix


def _directories() -> Iterator[str]:
    """Directories of libraries, in the order in which a user expects them to be searched."""
    yield from filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":"))
    for pattern in _PATTERNS:
        yield from sorted(map(str, Path("/").glob(pattern)))
    yield from _DIRECTORIES
    yield str(Path(sys.prefix) / "lib")


def _function(handle: ctypes.CDLL, prefix: str, function: str) -> int:
    """The address of one of FUNCTIONS, or 0; aligned_alloc will do for memalign."""
    names = (function, "aligned_alloc") if function == "memalign" else (function,)
    return next(filter(None, (_own_address(handle, prefix + name) for name in names)), 0)


class _DlInfo(ctypes.Structure):
    """Dl_info, the result of dladdr."""

    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


class _LinkMap(ctypes.Structure):
    """The first fields of link_map, to which a handle of dlopen points."""

    _fields_ = (("base", ctypes.c_void_p), ("file", ctypes.c_char_p))


def _link_map(handle: ctypes.CDLL) -> _LinkMap:
    """The dynamic linker's record of a loaded library."""
    return _LinkMap.from_address(handle._handle)


def _file(handle: ctypes.CDLL) -> str:
    """The file that a library was loaded from, symbolic links resolved."""
    return os.path.realpath(os.fsdecode(_link_map(handle).file or b""))


def _own_address(handle: ctypes.CDLL, symbol: str) -> int:
    """The address of `symbol` if it is in the library's own file; otherwise 0."""
    if not hasattr(handle, symbol):
        return 0
    address = ctypes.cast(getattr(handle, symbol), ctypes.c_void_p).value or 0
    info = _DlInfo()
    found = ctypes.CDLL(None).dladdr(ctypes.c_void_p(address), ctypes.byref(info))
    return address if found and info.base == _link_map(handle).base else 0
