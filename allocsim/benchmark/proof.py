"""Checks that the measured calls reached the library that was to be measured, and no other one.

The checks do not rely on how the library was loaded. They read the kernel's map of the process, and
the counters that the library keeps of itself.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

from allocsim.errors import Corruption
from allocsim.libraries.counters import allocated, read_counters
from allocsim.libraries.load import LoadedLibrary
from allocsim.libraries.state import FUNCTIONS

PROBE_SIZE = 64 << 20
"""Bytes that are allocated to see the library's counter of allocated bytes rise. mimalloc's counter
grows in steps of 32 MiB; this is twice as much."""

SLACK = 1 << 20
"""Bytes by which the counter may rise less than PROBE_SIZE, because reading jemalloc's counters
flushes its thread cache."""


def require_served(library: LoadedLibrary) -> None:
    """Raise Corruption unless the calls reached the library.

    Its functions must be in the mapping of its file. If the library counts allocated bytes, the
    counter must rise by about PROBE_SIZE when that many bytes are allocated.
    """
    ranges = _code_ranges(library.path)
    for name, address in zip(FUNCTIONS, library.state.function.tolist(), strict=True):
        if not any(begin <= address < end for begin, end in ranges):
            raise Corruption(f"{name} at {address:#x} is outside the mapping of {library.path}")
    before = allocated(read_counters(library))
    if before is None:
        return
    malloc, free = library.state.function[:2].tolist()
    # Called through ctypes, because a kernel cannot be compiled now (see `child._compile`).
    address = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)(malloc)(PROBE_SIZE)
    rise = (allocated(read_counters(library)) or 0) - before
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(free)(address)
    if rise < PROBE_SIZE - SLACK:
        raise Corruption(
            f"the library's counter of allocated bytes rose by {rise:,} when {PROBE_SIZE:,} bytes "
            "were allocated: the measured calls did not reach the library"
        )


def _code_ranges(path: str) -> list[tuple[int, int]]:
    """Return the address ranges in which a file is mapped as code."""
    ranges = []
    for line in Path("/proc/self/maps").read_text("utf-8", "surrogateescape").splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5] == path and "x" in fields[1]:
            begin, _, end = fields[0].partition("-")
            ranges.append((int(begin, 16), int(end, 16)))
    return ranges
