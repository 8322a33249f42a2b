"""Load a malloc library into this process, and find the addresses of its functions.

A symbol lookup in a loaded library also searches the library's dependencies, so in a library
without malloc it finds glibc's. A function is therefore used only if it is in the library's own
file.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass

import numpy as np

from allocsim.errors import EnvironmentLacks, InputError
from allocsim.libraries.environment import STDCXX
from allocsim.libraries.find import KNOWN, PREFIX, is_own_glibc, require_library
from allocsim.libraries.names import is_path, split_prefix, split_settings
from allocsim.libraries.state import FUNCTIONS, REQUIRED, Library

PREFIXES = ("tc_", "mi_", "je_", "_rjem_", "rp", "sn_", "dl", "scalable_", "GC_", "")
"""Prefixes of function names to try, in this order, for a library given by its path."""

_NAMES = {"memalign": ("memalign", "aligned_alloc")}
"""Functions that have different names in different libraries: the names, in order of preference.
Functions of all these names take the same arguments."""

_NAMES_OF_GC = {"malloc": ("malloc_uncollectable",), "calloc": (), "memalign": ()}
"""The names of libgc's functions, as in `_NAMES`. Objects from libgc's other allocation functions
would be collected while they are live, because libgc does not search the driver's table for
pointers."""


@dataclass(frozen=True)
class LoadedLibrary:
    """A library in this process."""

    name: str
    """A name of KNOWN, or the path that the user gave."""
    path: str
    """The file that the dynamic linker loaded."""
    prefix: str
    handle: ctypes.CDLL
    state: Library
    """Addresses of the library's functions. The replay driver uses them as the state of a heap."""

    def address(self, symbol: str) -> int:
        """Return the address of one of the library's own functions, or 0 if it is missing."""
        return _own_address(self.handle, symbol)


def load(name: str) -> LoadedLibrary:
    """Load a library, given by a name of KNOWN, a path, or PATH:PREFIX.

    Calls between functions of the library stay in the library (RTLD_DEEPBIND), unless libstdc++ was
    preloaded for the library (see `environment.STDCXX`). Of several prefixes, the one with the most
    functions is used. Raises EnvironmentLacks if the library is not installed or cannot be loaded,
    and InputError if it lacks one of REQUIRED.
    """
    path, prefixes = _path_and_prefixes(name)
    flags = os.RTLD_LOCAL | os.RTLD_NOW
    if STDCXX not in os.environ.get("LD_PRELOAD", ""):
        flags |= os.RTLD_DEEPBIND
    _set_environ()
    try:
        handle = ctypes.CDLL(path, mode=flags)
    except OSError as error:
        raise EnvironmentLacks(f"{name}: {error}") from None
    functions = {prefix: _functions(handle, prefix) for prefix in prefixes}
    prefix = max(prefixes, key=lambda each: np.count_nonzero(functions[each]))
    if all(functions[prefix][FUNCTIONS.index(function)] for function in REQUIRED):
        return LoadedLibrary(name, _file(handle), prefix, handle, Library(functions[prefix]))
    wanted = f"the prefix '{prefixes[0]}'" if len(prefixes) == 1 else "any known prefix"
    raise InputError(
        f"'{path}' does not have all of {', '.join(REQUIRED)} under {wanted}; give the prefix of "
        f"these functions' names, as in {PREFIX}{path}:my_"
    )


def _set_environ() -> None:
    """Set libc's own variable `environ`, from which libraries such as mimalloc read settings.

    Some Python executables, such as Debian's, have a copy of this variable, and libc uses the copy
    (a copy relocation). With RTLD_DEEPBIND, a library finds libc's own variable, which is NULL.
    """
    used = ctypes.c_void_p.in_dll(ctypes.CDLL(None), "environ")
    ctypes.c_void_p.in_dll(ctypes.CDLL("libc.so.6"), "environ").value = used.value


def _path_and_prefixes(name: str) -> tuple[str, tuple[str, ...]]:
    """Return the file to load for `name`, and the prefixes of its functions to try."""
    name = split_settings(name)[0]
    path = require_library(name)
    if is_own_glibc(name):
        # dlopen of a path could load a second glibc. dlopen of this name returns the glibc that the
        # process already has.
        return "libc.so.6", KNOWN["glibc"].prefixes
    if not is_path(name):
        return path, KNOWN[name].prefixes
    prefix = split_prefix(name)[1]
    return path, PREFIXES if prefix is None else (prefix,)


def _functions(handle: ctypes.CDLL, prefix: str) -> np.ndarray:
    """Return the addresses of FUNCTIONS; 0 for each function that the library does not have."""
    return np.array([_function(handle, prefix, function) for function in FUNCTIONS], np.int64)


def _function(handle: ctypes.CDLL, prefix: str, function: str) -> int:
    """Return the address of one of FUNCTIONS, or 0 if the library does not have it."""
    special = _NAMES_OF_GC if prefix == "GC_" else _NAMES
    names = special.get(function, (function,))
    return next(filter(None, (_own_address(handle, prefix + name) for name in names)), 0)


class _DlInfo(ctypes.Structure):
    """Dl_info, the result of dladdr."""

    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


class LinkMap(ctypes.Structure):
    """The first fields of link_map, the record to which a handle of dlopen points."""

    _fields_ = (
        ("base", ctypes.c_void_p),
        ("file", ctypes.c_char_p),
        ("dynamic", ctypes.c_void_p),
    )


def link_map(handle: ctypes.CDLL) -> LinkMap:
    """Return the dynamic linker's record of a loaded library."""
    return LinkMap.from_address(handle._handle)


def _file(handle: ctypes.CDLL) -> str:
    """Return the file from which a library was loaded, with symbolic links resolved."""
    return os.path.realpath(os.fsdecode(link_map(handle).file or b""))


def _own_address(handle: ctypes.CDLL, symbol: str) -> int:
    """Return the address of `symbol` if it is in the library's own file, or 0."""
    if not hasattr(handle, symbol):
        return 0
    address = ctypes.cast(getattr(handle, symbol), ctypes.c_void_p).value or 0
    info = _DlInfo()
    is_known = ctypes.CDLL(None).dladdr(ctypes.c_void_p(address), ctypes.byref(info))
    return address if is_known and info.base == link_map(handle).base else 0
