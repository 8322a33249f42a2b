"""Totals of a recording, computed from a reader's events or by an independent count of calls."""

from pathlib import Path
from typing import NamedTuple

from allocsim.core.jit import PURE
from allocsim.events import Op
from allocsim.traces.source import open_source
from tests.traces.recordings import Event

SAMPLES = Path(__file__).parent / "samples"
"""Recordings of real programs, which samples/README.md describes."""

PROGRAM = SAMPLES / ("shell.lttng.gz" if PURE else "sqlite.lttng.gz")
"""A recording that tests write in other formats."""


class Totals(NamedTuple):
    """Figures on which every reader of a recording must agree."""

    allocations: int
    frees: int
    requested: int
    """Bytes over all allocations and reallocations."""
    peak_live: int
    left: int
    """Objects that are live at the end."""
    left_bytes: int


class Count:
    """Counts calls, with a dictionary of live objects."""

    def __init__(self) -> None:
        self.live = dict[object, int]()
        self.allocations = self.frees = self.requested = self.bytes = self.peak = 0

    def allocate(self, key: object, request: int) -> None:
        """Allocate an object."""
        assert key not in self.live
        self.live[key] = request
        self.allocations += 1
        self._ask(request)

    def reallocate(self, old: object, key: object, request: int) -> None:
        """Resize an object, and perhaps change its key."""
        self.bytes -= self.live.pop(old)
        self.live[key] = request
        self._ask(request)

    def free(self, key: object) -> None:
        """Free an object."""
        self.bytes -= self.live.pop(key)
        self.frees += 1

    def _ask(self, request: int) -> None:
        """Count requested bytes."""
        self.requested += request
        self.bytes += request
        self.peak = max(self.peak, self.bytes)

    def totals(self) -> Totals:
        """The totals so far."""
        return Totals(
            self.allocations, self.frees, self.requested, self.peak, len(self.live), self.bytes
        )


def totals_of(events: list[Event]) -> Totals:
    """The totals of the events of a reader."""
    count = Count()
    for op, request, _, _, number in events:
        if op == Op.FREE:
            count.free(number)
        elif op == Op.REALLOC:
            count.reallocate(number, number, request)
        elif op < Op.REALLOC:
            count.allocate(number, request)
    return count.totals()


def contents(name: str) -> bytes:
    """The decompressed content of a sample."""
    source = open_source(str(SAMPLES / name))
    block = bytearray(4 << 20)
    with memoryview(block) as view:
        length = source.read_into(view)
    source.close()
    assert length < len(block)
    return bytes(block[:length])
