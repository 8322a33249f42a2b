"""The range of a peak.

A peak is a range if the recording does not say how much memory the program touched, or if the
program was recorded several times.
"""

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


def peak_extent(row: Row) -> tuple[int, int]:
    """Return the lowest and the highest peak in the replays of all recordings, in bytes.

    The memory of the row must have been measured.
    """
    assert row.memory is not None
    peaks = row.peaks or [row.memory.peak]
    return min(peaks), max(peaks)


def range_text(row: Row, outside: int = 0) -> str:
    """Return the peak as text, or its range; each figure includes `outside` bytes.

    `outside` is the memory outside malloc. The memory of the row must have been measured.
    """
    low, high = peak_extent(row)
    lowest = lowest_peak(row)
    ends = (low if lowest is None else min(low, lowest), high)
    return " - ".join(dict.fromkeys(format_bytes(end + outside) for end in ends))
