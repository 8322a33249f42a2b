"""Checks that the calls of a workload reach the library that is measured, and no other.

The checks do not rely on how the library was loaded. They read the kernel's map of the process, and
the library's own counters.
"""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np

from allocsim.core.records import Table
from allocsim.errors import Corruption, EnvironmentLacks
from allocsim.events import Event, Op
from allocsim.libraries.counters import allocated, read_counters
from allocsim.libraries.load import LoadedLibrary
from allocsim.libraries.state import FUNCTIONS
from allocsim.text import counted

PROBE_SIZE = 64 << 20
"""Size in bytes of a block that the check allocates. The library's counter of allocated bytes must
rise by this much. mimalloc's counter rises in steps of 32 MiB, half of PROBE_SIZE."""

SLACK = 1 << 20
"""The counter's rise may fall short of PROBE_SIZE by this many bytes, because reading jemalloc's
counters flushes its thread cache."""


def count_aligned(events: Table[Event]) -> int:
    """Return the number of calls of memalign."""
    return int(np.count_nonzero(events.op == Op.MEMALIGN))


def require_functions(library: LoadedLibrary, calls: int) -> None:
    """Raise EnvironmentLacks if the workload calls memalign but the library has no memalign.

    `calls` is the number of calls of memalign in the workload.
    """
    if calls and not library.state.function[FUNCTIONS.index("memalign")]:
        raise EnvironmentLacks(
            f"the library has no memalign, which the workload calls {counted(calls, 'time')}"
        )


def require_served(library: LoadedLibrary) -> None:
    """Raise Corruption unless the calls reached the library.

    The library's functions must be in the mapping of its file. If the library counts allocated
    bytes, the counter must rise by about PROBE_SIZE (see `_require_rise`).
    """
    ranges = _code_ranges(library.path)
    for name, address in zip(FUNCTIONS, library.state.function.tolist(), strict=True):
        if address and not any(begin <= address < end for begin, end in ranges):
            raise Corruption(f"{name} at {address:#x} is outside the mapping of {library.path}")
    before = allocated(read_counters(library))
    if before is not None:
        _require_rise(library, before)


def _require_rise(library: LoadedLibrary, before: int) -> None:
    """Raise Corruption unless the counter of allocated bytes rises by PROBE_SIZE from `before`.

    mimalloc counts committed bytes, which include free memory. The first blocks may come from that
    memory and leave the counter unchanged. Blocks are therefore added until the counter rises, or
    until the size of all blocks exceeds `before`.
    """
    malloc, free = library.state.function[:2].tolist()
    # Called through ctypes, because nothing can be compiled now (see `child._compile`).
    allocate = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)(malloc)
    blocks, rise = list[int | None](), 0
    while rise < PROBE_SIZE - SLACK and len(blocks) * PROBE_SIZE <= before + PROBE_SIZE:
        blocks.append(allocate(PROBE_SIZE))
        rise = (allocated(read_counters(library)) or 0) - before
    for block in blocks:
        ctypes.CFUNCTYPE(None, ctypes.c_void_p)(free)(block)
    if rise < PROBE_SIZE - SLACK:
        raise Corruption(
            f"the library's counter of allocated bytes rose by {rise:,} when "
            f"{len(blocks) * PROBE_SIZE:,} bytes were allocated: the measured calls did not reach "
            "the library"
        )


def _code_ranges(path: str) -> list[tuple[int, int]]:
    """Return the address ranges in which a file is mapped as code."""
    ranges = []
    for line in Path("/proc/self/maps").read_text("utf-8", "surrogateescape").split("\n"):
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5] == path and "x" in fields[1]:
            begin, _, end = fields[0].partition("-")
            ranges.append((int(begin, 16), int(end, 16)))
    return ranges
