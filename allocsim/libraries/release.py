"""Ask a malloc library to release its free memory to the operating system."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable

from allocsim.libraries.counters import mallctl
from allocsim.libraries.load import LoadedLibrary

MIMALLOC_DELAY = 0.6
"""Seconds to wait for mimalloc, which releases a free page only after a delay."""

ALL_ARENAS = 4096
"""The number that means all arenas in jemalloc's mallctl (MALLCTL_ARENAS_ALL)."""


def release_call(library: LoadedLibrary) -> str | None:
    """Return the name of the call that makes a library release memory, or None if none is known."""
    return next((call for symbol, (call, _) in CALLS.items() if library.address(symbol)), None)


def request_release(library: LoadedLibrary) -> None:
    """Make a library release as much memory as it can, if allocsim knows a call for it."""
    for symbol, (_, release) in CALLS.items():
        if library.address(symbol):
            release(library)
            return


def _tcmalloc(library: LoadedLibrary) -> None:
    """Empty the thread's cache, and release free spans."""
    library.handle.MallocExtension_MarkThreadIdle()
    library.handle.MallocExtension_ReleaseFreeMemory()


def _jemalloc(library: LoadedLibrary) -> None:
    """Empty the thread's cache, and purge all arenas."""
    control = mallctl(library)
    control(b"thread.tcache.flush", None, None, None, ctypes.c_size_t(0))
    control(f"arena.{ALL_ARENAS}.purge".encode(), None, None, None, ctypes.c_size_t(0))


def _mimalloc(library: LoadedLibrary) -> None:
    """Call mi_collect(true), after the delay of mimalloc's purges."""
    time.sleep(MIMALLOC_DELAY)
    library.handle.mi_collect(ctypes.c_bool(True))


def _glibc(library: LoadedLibrary) -> None:
    """Trim the heap."""
    library.handle.malloc_trim(ctypes.c_size_t(0))


CALLS: dict[str, tuple[str, Callable[[LoadedLibrary], None]]] = {
    "MallocExtension_ReleaseFreeMemory": ("MallocExtension_ReleaseFreeMemory()", _tcmalloc),
    "mallctl": ("arena.<all>.purge", _jemalloc),
    "je_mallctl": ("arena.<all>.purge", _jemalloc),
    "mi_collect": ("mi_collect(true)", _mimalloc),
    "malloc_trim": ("malloc_trim(0)", _glibc),
}
"""For each symbol: the call as a user would write it, and the function that makes the call. If a
library has several of these symbols, the first one is used."""
