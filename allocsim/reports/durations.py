"""The time that passes in a replay, compared with the time that the recorded program took.

Some libraries release freed memory after a delay, so their footprint depends on this time.
"""

from __future__ import annotations

from allocsim.benchmark.comparison import Comparison
from allocsim.benchmark.figures import Row
from allocsim.benchmark.memory import ASSUMED_NS
from allocsim.benchmark.subject import library_of
from allocsim.libraries.counters import releases_by_clock
from allocsim.reports.comparison import label

SAME_TIME = 1.5
"""Up to this ratio of two durations, a library is assumed to release about the same memory."""


def recorded_time(comparison: Comparison) -> str:
    """Return a sentence about the time that the program took or, if unknown, the time assumed."""
    seconds = comparison.workload.seconds
    if seconds is not None:
        return f"The recorded program took {seconds:.2f} s from its first call to its last. "
    clocked = [label(row) for row in comparison.rows if _is_clocked(row)]
    if not clocked:
        return ""
    return (
        "The workload has no times. Libraries that release memory after a delay "
        f"({', '.join(clocked)}) read a clock that advances by {ASSUMED_NS / 1000:g} us with each "
        "event. "
    )


def duration_warning(comparison: Comparison) -> str:
    """Return the warning that replays were much faster or slower than the program, or "".

    There is no warning if the trace has no times, because the time of the program is then unknown.
    A library that reads the virtual clock gets no warning, because this clock shows the time of the
    program.
    """
    seconds = comparison.workload.seconds
    if seconds is None or comparison.conditions.paced:
        return ""
    clocked = [row for row in comparison.rows if _had_other_time(row, seconds)]
    if not clocked:
        return ""
    times = ", ".join(f"{label(row)} {row.memory.seconds:.2f} s" for row in clocked if row.memory)
    return (
        f"the recorded program took {seconds:.2f} s, but its replays took: {times}. These "
        "libraries release memory after a delay, so their figures depend on this time; "
        "`--pace recorded` replays at the pace of the program."
    )


def _is_clocked(row: Row) -> bool:
    """Return whether the library releases memory after a delay, and reads the virtual clock."""
    memory = row.memory
    return memory is not None and memory.has_virtual_clock and releases_by_clock(memory.counters)


def _had_other_time(row: Row, seconds: float) -> bool:
    """Return whether the replay on a library was much shorter or longer than the program's run.

    `seconds` is the time of the program. Returns False for a library that releases memory without
    delay or reads the virtual clock.
    """
    memory = row.memory
    if memory is None or memory.has_virtual_clock or library_of(row.subject) is None:
        return False
    if not releases_by_clock(memory.counters):
        return False
    return max(memory.seconds, seconds) > SAME_TIME * min(memory.seconds, seconds)
