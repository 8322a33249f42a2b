"""Where the heap of a library starts, so that a design that models it can start in the same place.

The addresses of a heap decide how its memory is cut: gperftools carves aligned objects and uses a
leaf of its page map by address, and glibc aligns its break. The kernel gives a library another
address in each process, so a design is equal to it only if it starts at the same page.
"""

from __future__ import annotations

import ctypes
import os

from allocsim.libraries.load import LoadedLibrary

_INSTANCE = "_ZN15MallocExtension8instanceEv"
"""MallocExtension::instance() of gperftools. Its result is an object that the library allocates
from itself as it is loaded."""


def start_address(library: LoadedLibrary) -> int | None:
    """Return the address that tells where a library's heap starts; None if none is known.

    It is the break of a glibc that serves nothing else yet, and gperftools' MallocExtension. It
    must be read before the library has served a call. `Design.start` says what follows from it.
    """
    # No look-up of files here: it would take memory of Python, which the child already counts.
    if library.address("gnu_get_libc_version"):
        return _returned(library.handle.sbrk, 0) if os.environ.get("LD_PRELOAD") else None
    if library.address(_INSTANCE):
        return _returned(getattr(library.handle, _INSTANCE))
    return None


def _returned(function: ctypes._NamedFuncPointer, *arguments: int) -> int:
    """Return the address that a C function returns."""
    function.restype = ctypes.c_size_t
    return int(function(*arguments))
