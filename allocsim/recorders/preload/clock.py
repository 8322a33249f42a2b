"""The clock of a recording: whether the CPU's time stamp counter (TSC) is used, and its rate.

The recorder stamps each call with the TSC if the TSC can be trusted, otherwise with nanoseconds.
"""

from __future__ import annotations

import ctypes
import platform
import time
from pathlib import Path
from typing import NamedTuple

_SOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")


def is_tsc_trusted() -> bool:
    """Return whether the kernel itself keeps time by the TSC.

    The kernel does so only if it has found that the TSCs of all processors are synchronised and
    tick at a constant rate. In a test on such a machine, two processors took 4 million
    stamps in turn, and no stamp was earlier than the one before.
    """
    if platform.machine() != "x86_64":
        return False
    try:
        return _SOURCE.read_text("ascii").strip() == "tsc"
    except OSError:
        return False


class Moment(NamedTuple):
    """One moment, as two clocks show it."""

    ticks: int
    nanoseconds: int


class TickClock:
    """Measures the mean length of a tick since the creation of this object."""

    def __init__(self, library: Path) -> None:
        self._ticks = ctypes.CDLL(str(library)).allocsim_ticks if is_tsc_trusted() else None
        if self._ticks is not None:
            self._ticks.restype = ctypes.c_uint64
        self._begin = self._now()

    def ns_per_tick(self) -> float:
        """Return the length of a tick in nanoseconds: 1 if the stamps are nanoseconds."""
        now = self._now()
        passed = now.nanoseconds - self._begin.nanoseconds
        return passed / max(now.ticks - self._begin.ticks, 1)

    def stamp(self) -> int:
        """Return the current time as a stamp."""
        return self._now().ticks

    def _now(self) -> Moment:
        """Read both clocks."""
        nanoseconds = time.monotonic_ns()
        return Moment(self._ticks() if self._ticks is not None else nanoseconds, nanoseconds)
