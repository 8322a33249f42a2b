"""The malloc libraries of this machine: where they lie, and one of them loaded.

Above `calls`, below the child process that loads a library and the list that shows them. Its one
rule: a function counts as a library's only if it lies in that library's own file, since a lookup
in a loaded library falls through to those that it needs, and so to glibc's malloc.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from allocsim.errors import EnvironmentLacks, InputError, UnknownName
from allocsim.libraries.state import FUNCTIONS, Library

PREFIX = "lib:"
"""What a subject's name begins with when it is a library and not a design."""


@dataclass(frozen=True)
class Known:
    """A library that has a name here."""

    files: tuple[str, ...]
    """Names of its file, the better ones first."""
    package: str
    """The Debian package that brings it."""
    prefix: str = ""
    """What the names of its functions begin with."""


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
"""The libraries that can be asked for by name."""

PREFIXES = ("tc_", "mi_", "je_", "rp", "sn_", "dl", "")
"""Beginnings of function names that are tried for a library given by its path, in this order."""

_PLACES = ("usr/local/lib", "usr/lib/*-linux-gnu*", "lib/*-linux-gnu*")
_OTHER_PLACES = ("/usr/lib64", "/usr/lib", "/lib64", "/lib", "/home/linuxbrew/.linuxbrew/lib")


@dataclass(frozen=True)
class LoadedLibrary:
    """A library in this process."""

    name: str
    """As the user calls it: "jemalloc", or a path."""
    path: str
    """Its file, as the linker has loaded it."""
    prefix: str
    handle: ctypes.CDLL
    state: Library
    """What the driver drives."""

    def address(self, symbol: str) -> int:
        """Where a function of the library's own is; 0 if it has none of that name."""
        return _own_address(self.handle, symbol)


def load(name: str) -> LoadedLibrary:
    """Load a library by its name in KNOWN, its path, or PATH:PREFIX, with its calls to itself.

    EnvironmentLacks, naming the package, if it is not there; InputError if it has no malloc.
    """
    path, prefixes = _asked(name)
    flags = os.RTLD_LOCAL | os.RTLD_DEEPBIND | os.RTLD_NOW
    try:
        handle = ctypes.CDLL(path, mode=flags)
    except OSError as refusal:
        raise EnvironmentLacks(f"{name}: {refusal}") from None
    for prefix in prefixes:
        addresses = [_function(handle, prefix, function) for function in FUNCTIONS]
        if all(addresses):
            state = Library(np.array(addresses, np.int64))
            return LoadedLibrary(name, _file(handle), prefix, handle, state)
    asked = f"{prefixes[0]}malloc" if len(prefixes) == 1 else "malloc under any known prefix"
    raise InputError(
        f"{path} has no {asked} with all of {', '.join(FUNCTIONS)}; "
        f"give the beginning of their names, as in {PREFIX}{path}:my_"
    )


def find_library(name: str) -> str | None:
    """The file of a library of KNOWN; None if this machine has none."""
    if name not in KNOWN:
        raise UnknownName("library", name, KNOWN)
    for file in KNOWN[name].files:
        for place in _directories():
            if (Path(place) / file).is_file():
                return str(Path(place) / file)
    return None


def is_path(name: str) -> bool:
    """Whether a library is given by its path, not by a name of KNOWN."""
    return "/" in name or ".so" in name


def require_library(name: str) -> str:
    """The file of a library that is asked for; an error that says how to get it if it is not."""
    if not is_path(name):
        found = find_library(name)
        if found is None:
            raise EnvironmentLacks(
                f"{name} is not on this machine: Debian's package is {KNOWN[name].package}, any "
                f"other build can be given as {PREFIX}/path/to/{KNOWN[name].files[0]}"
            )
        return found
    path = _split(name)[0]
    if not Path(path).is_file():
        raise EnvironmentLacks(f"there is no library '{path}'")
    return str(Path(path).resolve())


def _asked(name: str) -> tuple[str, tuple[str, ...]]:
    """The file to load for `name`, and the prefixes of its functions to try."""
    path = require_library(name)
    if not is_path(name):
        # The C library of this very process has to be asked for by its own name.
        return ("libc.so.6" if name == "glibc" else path), (KNOWN[name].prefix,)
    prefix = _split(name)[1]
    return path, PREFIXES if prefix is None else (prefix,)


def _split(name: str) -> tuple[str, str | None]:
    """A library's path and the prefix that was given with it, if one was."""
    path, colon, prefix = name.rpartition(":")
    if not colon or Path(name).is_file():
        return name, None
    return path, prefix


def _directories() -> Iterator[str]:
    """Where libraries lie, in the order in which a user expects them to be found."""
    yield from filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":"))
    for pattern in _PLACES:
        yield from sorted(map(str, Path("/").glob(pattern)))
    yield from _OTHER_PLACES
    yield str(Path(sys.prefix) / "lib")


def _function(handle: ctypes.CDLL, prefix: str, function: str) -> int:
    """The address of one of FUNCTIONS; 0 if the library lacks it. aligned_alloc is a memalign."""
    names = (function, "aligned_alloc") if function == "memalign" else (function,)
    return next(filter(None, (_own_address(handle, prefix + name) for name in names)), 0)


class _Place(ctypes.Structure):
    """What dladdr says of an address: Dl_info."""

    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


class _Link(ctypes.Structure):
    """What a handle of dlopen points to: the start of link_map."""

    _fields_ = (("base", ctypes.c_void_p), ("file", ctypes.c_char_p))


def _link(handle: ctypes.CDLL) -> _Link:
    """The linker's record of a loaded library."""
    return _Link.from_address(handle._handle)


def _file(handle: ctypes.CDLL) -> str:
    """The file that a library was loaded from, without links."""
    return os.path.realpath(os.fsdecode(_link(handle).file or b""))


def _own_address(handle: ctypes.CDLL, symbol: str) -> int:
    """The address of `symbol` if it lies in the library itself; else 0."""
    if not hasattr(handle, symbol):
        return 0
    address = ctypes.cast(getattr(handle, symbol), ctypes.c_void_p).value or 0
    place = _Place()
    found = ctypes.CDLL(None).dladdr(ctypes.c_void_p(address), ctypes.byref(place))
    return address if found and place.base == _link(handle).base else 0
