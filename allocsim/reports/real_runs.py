"""The recorded run of the program and its runs on each library, compared with predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from allocsim.benchmark.comparison import Comparison
from allocsim.benchmark.figures import Row
from allocsim.program_run import ProgramRun, RealRuns
from allocsim.real_runs.served_row import served_row
from allocsim.reports.comparison import Compared, label
from allocsim.reports.peak_range import range_text
from allocsim.reports.predictions import prediction
from allocsim.text import distinct, format_bytes

TITLES = ("predicted", "real", "range", "ratio", "CPU s", "wall s")
"""Titles of all columns except the first, which names the subject."""

MEANING = (
    "predicted: peak of the replay, plus the recorded program's memory that is not from malloc; "
    "real, range: median and range of the peaks of the program's anonymous memory (the highest "
    "sample, or VmHWM minus file pages if that is higher); ratio: predicted / real; CPU s, wall s: "
    "medians"
)
"""Explanation of the columns."""


def real_rows(compared: Compared) -> list[Row]:
    """Return the rows of the libraries on which the program was run, including failed attempts."""
    return [row for row in compared.rows() if row.real is not None]


def real_cells(row: Row, comparison: Comparison) -> list[str]:
    """Return the cells of a row with real runs, in the order of TITLES."""
    predicted, real = prediction(row, comparison), row.real
    recorded = comparison.workload.trace.program_run
    first = range_text(row, recorded.outside_malloc) if recorded and row.memory else "-"
    if real is None or not real.runs:
        return [first, *["-"] * (len(TITLES) - 1)]
    low, high = map(format_bytes, real.extent(_peak))
    ratio = _ratio(predicted, real)
    return [
        first,
        format_bytes(real.middle(_peak)),
        f"{low} - {high}",
        "-" if ratio is None else f"{ratio:.2f}",
        f"{real.middle(_cpu):.2f}",
        f"{real.middle(_wall):.2f}",
    ]


def real_json(row: Row, comparison: Comparison) -> dict[str, Any] | None:
    """Return the real runs of a row for JSON, with the figures of the table."""
    real, predicted = row.real, prediction(row, comparison)
    if real is None:
        return None
    fields: dict[str, Any] = msgspec.to_builtins(real)
    peak = real.middle(_peak) if real.runs else None
    return fields | {"predicted": predicted, "peak": peak, "ratio": _ratio(predicted, real)}


def real_notes(compared: Compared) -> list[str]:
    """Return a sentence for each library whose runs failed or were not sampled to their ends."""
    pairs = [(label(row), row.real) for row in real_rows(compared) if row.real]
    failed = [f"{name}: {real.failure}" for name, real in pairs if real.failure]
    missed = [
        f"{name}: the real peak may be higher, because the last "
        f"{real.extent(_unsampled)[1]:.2f} s of a run were not sampled"
        for name, real in pairs
        if _is_cut_off(real)
    ]
    return failed + missed


def program_sentences(compared: Compared) -> list[str]:
    """Return sentences about the program itself, or [] if the trace does not describe its run."""
    comparison = compared.comparison
    run = comparison.workload.trace.program_run
    if run is None:
        return []
    rows = [row for row in comparison.rows if row.real and row.real.runs]
    return [text for text in (_recorded(run, comparison), _lowest(rows), _quickest(rows)) if text]


def _recorded(run: ProgramRun, comparison: Comparison) -> str:
    """Describe the recorded run, and compare it with the prediction for the program's malloc.

    The ratio of the prediction to the recorded peak is left out if the recorded peak is 0, or if it
    may be too low because the end of the run was not sampled.
    """
    text = f"The recorded program: {run.text}."
    row = served_row(comparison)
    predicted = prediction(row, comparison) if row else None
    if row is None or predicted is None:
        return text
    ratio = (
        f", {predicted / run.anonymous_peak:.2f} times the recorded peak"
        if run.anonymous_peak and not run.unsampled
        else ""
    )
    return f"{text} Prediction for {label(row)}: {format_bytes(predicted)}{ratio}."


def _lowest(rows: Sequence[Row]) -> str | None:
    """Name the library on which the program has the lowest peak, if all peaks are known."""
    if any(row.real and _is_cut_off(row.real) for row in rows):
        return None
    return _best(rows, _peak, format_bytes, "lowest real peak")


def _quickest(rows: Sequence[Row]) -> str | None:
    """Name the library on which the program takes the least CPU time."""
    return _best(rows, _cpu, lambda seconds, more: f"{seconds:.{more + 1}f} s", "least CPU time")


def _best(
    rows: Sequence[Row],
    figure: Callable[[ProgramRun], float],
    show: Callable[[float, int], str],
    name: str,
) -> str | None:
    """Name the library with the lowest `figure`, and the library with the second lowest.

    If the ranges of other libraries overlap the range of the lowest library, the returned sentence
    lists that library and those others instead. Returns None if fewer than two libraries have
    several runs, because the spread of a single run is not known.
    """
    several = [(row.real, row) for row in rows if row.real and len(row.real.runs) > 1]
    if len(several) < 2:
        return None
    several.sort(key=lambda pair: pair[0].middle(figure))
    (best, first), *others = several
    high = best.extent(figure)[1]
    close = [pair for pair in others if pair[0].extent(figure)[0] <= high]
    if close:
        alike = [(best, first), *close]
        named = ", ".join(f"{label(row)} {show(real.middle(figure), 1)}" for real, row in alike)
        return f"No single {name}: {named}; their ranges overlap."
    second, runner_up = others[0]
    least, more = distinct(show, best.middle(figure), second.middle(figure))
    return f"{name[0].upper()}{name[1:]}: {label(first)}, {least} ({label(runner_up)}: {more})."


def _ratio(predicted: int | None, real: RealRuns) -> float | None:
    """Return predicted / real peak; None if either is unknown or the real peak may be too low."""
    if predicted is None or not real.runs or _is_cut_off(real):
        return None
    return predicted / max(real.middle(_peak), 1)


def _peak(run: ProgramRun) -> float:
    """Return the peak of a run in bytes."""
    return run.anonymous_peak


def _unsampled(run: ProgramRun) -> float:
    """Return for how many seconds before its end a run was not sampled."""
    return run.unsampled


def _is_cut_off(real: RealRuns) -> bool:
    """Return whether a run was not sampled to its end, so its peak may be too low."""
    return any(run.unsampled for run in real.runs)


def _cpu(run: ProgramRun) -> float:
    """Return the CPU time of a run in seconds."""
    return run.cpu_seconds


def _wall(run: ProgramRun) -> float:
    """Return the wall time of a run in seconds."""
    return run.seconds
