"""Allocators are ranked by peak only if their peaks differ by more than from run to run."""

from dataclasses import replace
from typing import Any

import pytest

from allocsim.benchmark.figures import Row
from allocsim.program_run import ProgramRun
from allocsim.reports.comparison import PEAKS, Compared, cells, titles
from allocsim.reports.conclusions import conclusions
from allocsim.reports.peak_range import range_text
from allocsim.reports.ranking import close_peaks
from tests.reports.comparisons import MIB, compared, memory

RUN = ProgramRun(
    anonymous_peak=MIB, seconds=1.0, cpu_seconds=1.0, threads=9, cores=2, recorder="preload"
)


def row(subject: str, *peaks: int) -> Row:
    """A row with peaks in MiB in several recordings, or a single peak."""
    found = Row(subject=subject, memory=memory(sorted(peaks)[len(peaks) // 2] * MIB))
    found.peaks = [peak * MIB for peak in peaks] if len(peaks) > 1 else []
    return found


def short_lived(*rows: Row, **workload: Any) -> Compared:
    """A comparison for a program with 201 threads, at most 9 at once."""
    made = compared([*rows], **{"threads": 201, "recorded": True} | workload)
    made.comparison.workload.trace.program_run = RUN
    recordings = max(len(row.peaks) or 1 for row in rows)
    return replace(made, comparison=replace(made.comparison, recordings=recordings))


def best(shown: Compared) -> set[str]:
    """Return the titles of the columns with peaks in which a row is marked as the best."""
    heads = [column.title for column in PEAKS]
    marks = zip(titles(), *cells(shown).values(), strict=True)
    return {head for head, *column in marks if head in heads and any(c.is_best for c in column)}


@pytest.mark.parametrize(
    ("one", "other", "is_close"),
    [
        ((40, 47, 59), (43, 44, 44), True),
        ((43, 44, 44), (40, 47, 59), True),
        ((30, 31, 34), (43, 44, 44), False),
        ((30, 31, 43), (43, 44, 44), True),
        ((100,), (102,), True),
        ((100,), (103,), False),
    ],
)
def test_peaks_are_close_if_their_ranges_overlap(
    one: tuple[int, ...], other: tuple[int, ...], is_close: bool
) -> None:
    assert bool(close_peaks(row("a", *one), [row("b", *other)])) == is_close


def test_ranges_that_overlap_are_not_ranked() -> None:
    shown = short_lived(row("a", 40, 47, 59), row("b", 43, 44, 44), row("c", 60, 70, 80))
    assert conclusions(shown)[0] == (
        "No single lowest peak: b 43.0 MiB - 44.0 MiB, a 40.0 MiB - 59.0 MiB overlap."
    )
    assert best(shown) == set()
    assert range_text(row("a", 40, 47, 59)) == "40.0 MiB - 59.0 MiB"


def test_lowest_range_is_named_and_others_that_overlap_are_not_ranked() -> None:
    shown = short_lived(
        row("a", 40, 47, 59), row("b", 43, 44, 44), row("c", 30, 31, 34), row("d", 50, 51, 52)
    )
    assert conclusions(shown)[0] == (
        "Lowest peak: c, 30.0 MiB - 34.0 MiB; then b 43.0 MiB - 44.0 MiB, a 40.0 MiB - 59.0 MiB, "
        "which overlap."
    )
    assert best(shown) == {column.title for column in PEAKS}


def test_second_lowest_within_the_noise_of_another_is_not_ranked() -> None:
    shown = compared([row("a", 40), row("b", 100), row("c", 101), row("d", 200)])
    assert conclusions(shown)[0] == (
        "Lowest peak: a, 40.0 MiB; then b 100.0 MiB, c 101.0 MiB, which are within 2% of each "
        "other (d: 200.0 MiB, 5.00x)."
    )


def test_peaks_of_one_recording_of_threads_that_come_and_go_are_not_ranked() -> None:
    rows = row("a", 40), row("b", 100)
    shown = short_lived(*rows)
    assert not any("peak" in text for text in conclusions(shown))
    assert best(shown) == set()
    on_one_thread = short_lived(*rows, recorded=False)
    assert conclusions(on_one_thread)[0].startswith("Lowest peak: a, 40.0 MiB")
    assert best(on_one_thread) == {column.title for column in PEAKS}


def test_row_that_failed_in_a_recording_is_not_ranked() -> None:
    failed = row("c", 30, 31)
    failed.failure = "crashed (in another recording)"
    shown = short_lived(row("a", 60, 70, 80), row("b", 43, 44, 44), failed)
    assert conclusions(shown)[0].startswith("Lowest peak: b, 43.0 MiB - 44.0 MiB")


def test_lower_end_is_the_minimum_of_all_recordings_and_touch_first() -> None:
    found = row("a", 40, 47, 59)
    assert found.memory is not None
    found.memory.lowest = 42 * MIB
    assert range_text(found) == "40.0 MiB - 59.0 MiB"
    found.memory.lowest = 0
    assert range_text(found, MIB) == "1.0 MiB - 60.0 MiB"
