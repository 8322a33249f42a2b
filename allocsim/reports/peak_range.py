"""The range of a peak, if the recording does not say how much memory the program touched."""

from __future__ import annotations

from allocsim.benchmark.comparison import UNSURE
from allocsim.benchmark.figures import Row
from allocsim.text import format_bytes


def lowest_peak(row: Row) -> int | None:
    """Return the peak of the library in a replay with `--touch first`, in bytes.

    Returns None if that peak is not known, or if it is less than 10% (UNSURE) below the row's peak.
    """
    memory = row.memory
    if memory is None or memory.lowest is None or memory.lowest > (1 - UNSURE) * memory.peak:
        return None
    return memory.lowest


def range_text(row: Row, outside: int = 0) -> str:
    """Return the peak as text, or its range; each figure includes `outside` bytes.

    `outside` is the memory outside malloc. The memory of the row must have been measured.
    """
    assert row.memory is not None
    low, high = lowest_peak(row), format_bytes(row.memory.peak + outside)
    return high if low is None else f"{format_bytes(low + outside)} - {high}"
