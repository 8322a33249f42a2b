"""The warning about libraries that release memory after a delay."""

from allocsim.benchmark.comparison import Conditions
from allocsim.benchmark.figures import Row
from allocsim.reports.durations import duration_warning, recorded_time
from tests.reports.comparisons import compared, memory

SECOND = 10**9


def row(name: str, seconds: float, counter: str, **more: bool) -> Row:
    """Return the row of a subject whose replay took `seconds`; `counter` identifies the library."""
    figures = memory(1 << 20, seconds=seconds, counters={counter: 1}, **more)
    return Row(subject=name, memory=figures)


ROWS = [
    row("lib:jemalloc", 0.25, "stats.resident"),
    row("lib:mimalloc", 2.5, "current_commit"),
    row("lib:glibc", 0.25, "arena"),
    row("tcmalloc", 0.25, "stats.resident"),
]


def warning(times: list[tuple[int, int]], paced: bool = False) -> str:
    """Return the warning for ROWS and a workload with these times."""
    conditions = Conditions(paced=paced)
    return duration_warning(compared(ROWS, conditions=conditions, times=times).comparison)


def test_library_that_had_less_time_than_the_program_is_named() -> None:
    text = warning([(0, 0), (9, 3 * SECOND)])
    assert "program took 3.00 s" in text
    assert text.count("lib:") == 1
    assert "lib:jemalloc 0.25 s" in text


def test_no_library_is_named_if_the_times_are_equal_or_unknown() -> None:
    assert warning([]) == ""
    assert warning([(0, 0), (9, 3 * SECOND)], paced=True) == ""
    assert "lib:jemalloc" not in warning([(9, SECOND // 4)])


VIRTUAL = [
    row("lib:jemalloc", 0.25, "stats.resident", has_virtual_clock=True),
    row("lib:mimalloc", 2.5, "current_commit", has_virtual_clock=True),
    row("lib:glibc", 0.25, "arena"),
]


def test_library_that_read_the_virtual_clock_is_not_named() -> None:
    comparison = compared(VIRTUAL, times=[(0, 0), (9, 3 * SECOND)]).comparison
    assert duration_warning(comparison) == ""


def test_time_that_was_assumed_is_stated() -> None:
    found = recorded_time(compared(VIRTUAL).comparison)
    assert "Libraries that release memory after a delay (lib:jemalloc" in found
    assert "read a clock that advances by 1 us with each event" in found


def test_time_of_the_program_is_stated_if_it_is_recorded() -> None:
    found = compared(ROWS, times=[(0, 0), (9, 3 * SECOND)]).comparison
    assert recorded_time(found).startswith("The recorded program took 3.00 s")
    assert recorded_time(compared(ROWS).comparison) == ""
