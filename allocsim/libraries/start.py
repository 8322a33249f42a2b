"""The start of a library's heap. A design that models the library must start there too.

The layout of a heap depends on its addresses: gperftools aligns objects and chooses page map leaves
by address, and glibc aligns its break. The kernel loads a library at another address in each
process. A design therefore has the library's layout only if the design's heap starts at the page at
which the library's heap started in the measured process.
"""

from __future__ import annotations

import ctypes
import os

from allocsim.libraries.load import LoadedLibrary

_INSTANCE = "_ZN15MallocExtension8instanceEv"
"""MallocExtension::instance() of gperftools. It returns an object that the library allocated from
its own heap when the library was loaded."""


def start_address(library: LoadedLibrary) -> int | None:
    """Return an address that determines where a library's heap starts, or None if it is unknown.

    For glibc, the address is the program break if another, preloaded library serves Python. If
    glibc serves Python, its heap already has Python's objects, and the result is None. For
    gperftools, the address is that of the MallocExtension. The address must be read before the
    library has served a call. `Design.start` turns it into parameters of the design.
    """
    # Do not look up files here: Python would allocate memory, which would count as the library's.
    if library.address("gnu_get_libc_version"):
        return program_break(library)
    if library.address(_INSTANCE):
        return _returned(getattr(library.handle, _INSTANCE))
    return None


def program_break(library: LoadedLibrary) -> int | None:
    """Return the program break, if the library is glibc and moves the break only for the workload.

    Returns None if the library is not glibc, or if glibc's malloc also serves Python.
    """
    if not library.address("gnu_get_libc_version") or not os.environ.get("LD_PRELOAD"):
        return None
    return _returned(library.handle.sbrk, 0)


def _returned(function: ctypes._NamedFuncPointer, *arguments: int) -> int:
    """Return the address that a C function returns."""
    function.restype = ctypes.c_size_t
    return int(function(*arguments))
