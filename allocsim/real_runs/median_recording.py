"""Combine the comparisons of several recordings of the same program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from allocsim.benchmark.comparison import Comparison
from allocsim.benchmark.figures import Row
from allocsim.real_runs.served_row import served_row


def combine(recordings: Sequence[Comparison]) -> Comparison:
    """Return the comparison of the recording with the median peak.

    Its rows get the peaks of all recordings. The times are those of the first recording, because
    the others are not timed. A row that failed in any recording has a failure. If it failed only
    when it was timed, it is ranked by memory; otherwise it is not ranked. At least one row of the
    first recording must have figures of memory.
    """
    first, chosen = recordings[0], _median(recordings)
    for row, *same in zip(chosen.rows, *(each.rows for each in recordings), strict=True):
        row.failure = _failure(same)
        row.peaks = sorted(each.memory.peak for each in same if each.memory)
        row.times = same[0].times
    return replace(
        chosen,
        conditions=first.conditions,
        recordings=len(recordings),
        recording_warnings=_losses(chosen, recordings),
    )


def _failure(same: Sequence[Row]) -> str | None:
    """Return why a row's replays failed, and in how many recordings; None if none failed.

    `same` is the row in each recording. If a failed row has `memory`, it failed when it was timed.
    """
    timed = [f"{row.failure} (while timed)" for row in same if row.failure and row.memory]
    failed = Counter(row.failure for row in same if row.failure and not row.memory)
    counted = [f"{text} (in {n} of {len(same)} recordings)" for text, n in failed.items()]
    return "; ".join([*counted, *timed]) or None


def _median(recordings: Sequence[Comparison]) -> Comparison:
    """Return the comparison in which the peak of the reference is the median.

    The reference is the row of the program's own malloc or, if that was not measured, the first row
    that was measured. Of two recordings, the one with the higher peak is returned. Recordings with
    figures of the program's own run are preferred, and among them those whose run was sampled to
    its end. A recording has no such figures if the run ended before the first sample.
    """
    first = recordings[0]
    served = served_row(first)
    candidates = [*([served] if served else []), *first.rows]
    index = first.rows.index(next(row for row in candidates if row.memory))
    measured = [each for each in recordings if each.rows[index].memory]
    described = [each for each in measured if each.workload.trace.program_run]
    usable = [each for each in measured if served_row(each)] or described or measured
    usable = [each for each in usable if _is_sampled_to_its_end(each)] or usable
    return sorted(usable, key=lambda each: _peak(each.rows[index]))[len(usable) // 2]


def _is_sampled_to_its_end(comparison: Comparison) -> bool:
    """Return whether the recorded run has figures, and they include the end of the run."""
    run = comparison.workload.trace.program_run
    return run is not None and not run.unsampled


def _losses(chosen: Comparison, recordings: Sequence[Comparison]) -> list[str]:
    """Return a sentence for each loss (see `Trace.losses`) that the chosen recording lacks."""
    known = chosen.workload.trace.losses
    losses = [loss for each in recordings for loss in each.workload.trace.losses]
    others = dict.fromkeys(loss for loss in losses if loss not in known)
    return [f"another recording of the program is incomplete: {loss}." for loss in others]


def _peak(row: Row) -> int:
    """Return the peak of a row that has one."""
    assert row.memory is not None
    return row.memory.peak
