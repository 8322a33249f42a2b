"""Where the heap of a library starts, so that a design that models it can start in the same place.

The layout of a heap depends on its addresses: gperftools aligns objects and chooses page map leaves
by address, and glibc aligns its break. The kernel gives a library another address in each process,
so a design has the library's layout only if it starts at the same page.
"""

from __future__ import annotations

import ctypes
import os

from allocsim.libraries.load import LoadedLibrary

_INSTANCE = "_ZN15MallocExtension8instanceEv"
"""MallocExtension::instance() of gperftools. It returns an object that the library allocates from
its own heap while it is loaded."""


def start_address(library: LoadedLibrary) -> int | None:
    """Return an address that determines where a library's heap starts, or None if it is unknown.

    For glibc, the address is the program break; it is known only if a preloaded library serves
    Python. For gperftools, it is that of the MallocExtension. The address must be read before the
    library has served a call. `Design.start` turns it into parameters of the design.
    """
    # Look up no files here: Python would allocate memory, which would count as the library's.
    if library.address("gnu_get_libc_version"):
        return program_break(library)
    if library.address(_INSTANCE):
        return _returned(getattr(library.handle, _INSTANCE))
    return None


def program_break(library: LoadedLibrary) -> int | None:
    """Return the program break if the library is glibc and moves it for the workload alone.

    Returns None otherwise: for another library, or if Python's own malloc is glibc's too.
    """
    if not library.address("gnu_get_libc_version") or not os.environ.get("LD_PRELOAD"):
        return None
    return _returned(library.handle.sbrk, 0)


def _returned(function: ctypes._NamedFuncPointer, *arguments: int) -> int:
    """Return the address that a C function returns."""
    function.restype = ctypes.c_size_t
    return int(function(*arguments))
