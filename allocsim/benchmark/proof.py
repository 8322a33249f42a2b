"""The proof that a library served the driver's calls, and no other library in its place.

Beside `subject`, after the measurement. Its one rule: it rests on the kernel's map of the process
and on the library's own counters, not on how the library was loaded.
"""

from __future__ import annotations

from pathlib import Path

from allocsim.core import operations
from allocsim.errors import Corruption
from allocsim.libraries.counters import allocated, read_counters
from allocsim.libraries.find import LoadedLibrary
from allocsim.libraries.state import FUNCTIONS

PROBE = 64 << 20
"""Bytes of the object with which the counters are tried: twice the steps of mimalloc's."""

SLACK = 1 << 20
"""Bytes by which a rise may fall short: reading jemalloc's counters empties what it had cached."""


def require_served(library: LoadedLibrary) -> None:
    """Corruption unless the functions lie in the library's file and its counters follow a call."""
    ranges = _mapped(library.path)
    for name, address in zip(FUNCTIONS, library.state.function.tolist(), strict=True):
        if not any(begin <= address < end for begin, end in ranges):
            raise Corruption(f"{name} at {address:#x} lies outside the maps of {library.path}")
    before = allocated(read_counters(library))
    if before is None:
        return
    address = operations.malloc(library.state, 0, PROBE)
    rise = (allocated(read_counters(library)) or 0) - before
    operations.free(library.state, 0, address)
    if rise < PROBE - SLACK:
        raise Corruption(
            f"its own counters rose by {rise} when it handed out {PROBE} bytes: the calls that "
            "were measured did not reach it"
        )


def _mapped(path: str) -> list[tuple[int, int]]:
    """Where the kernel has mapped the code of a file."""
    ranges = []
    for line in Path("/proc/self/maps").read_text("utf-8", "surrogateescape").splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5] == path and "x" in fields[1]:
            begin, _, end = fields[0].partition("-")
            ranges.append((int(begin, 16), int(end, 16)))
    return ranges
