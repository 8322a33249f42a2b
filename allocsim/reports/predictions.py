"""What a comparison predicts for the recorded program, and how far that can be trusted.

A prediction is the peak of the replay plus what the program had from elsewhere than from malloc.
The program and the replay on its own malloc made the same calls. If their peaks differ, the replay
differs from the program, and so do the replays on other libraries.
"""

from __future__ import annotations

from pathlib import Path

from allocsim.benchmark.comparison import Comparison
from allocsim.benchmark.figures import Row
from allocsim.benchmark.subject import library_of
from allocsim.libraries.names import split_settings
from allocsim.program_run import ProgramRun
from allocsim.reports.comparison import label
from allocsim.text import format_bytes

TOLERATED, TOLERATED_BYTES = 0.15, 1 << 20
"""The share of the recorded peak, and the bytes, by which the prediction may differ without a
warning; the larger of the two counts. In a small program, a library's startup state is most of it.
"""


def prediction(row: Row, comparison: Comparison) -> int | None:
    """Return the peak that a row predicts for the recorded program; None if it is not known."""
    recorded = comparison.workload.trace.program_run
    if recorded is None or row.memory is None:
        return None
    return row.memory.peak + recorded.outside_malloc


def served_row(comparison: Comparison) -> Row | None:
    """Return the row of the malloc that served the recorded program; None if there is none."""
    run = comparison.workload.trace.program_run
    if run is None:
        return None
    return next((row for row in comparison.rows if _served(row, run)), None)


def prediction_warnings(comparison: Comparison) -> list[str]:
    """Return a warning if the prediction for the malloc that served the program is not close."""
    run, row = comparison.workload.trace.program_run, served_row(comparison)
    predicted = prediction(row, comparison) if row else None
    if run is None or row is None or predicted is None:
        return []
    peaks = (
        f"the prediction for {label(row)} is {format_bytes(predicted)}, and the recorded program "
        f"had {format_bytes(run.anonymous_peak)}"
    )
    allowed = max(TOLERATED * run.anonymous_peak, TOLERATED_BYTES)
    if predicted > run.anonymous_peak + allowed:
        touch = comparison.conditions.touch.name.lower()
        return [
            f"{peaks}: the program probably does not write to all the memory that it allocates, as "
            f"--touch {touch} assumes. The predictions for other libraries are too high as well; "
            "--touch first gives the lower limit."
        ]
    if predicted < run.anonymous_peak - allowed:
        return [
            f"{peaks}: the program has memory that the replay does not have, such as "
            f"{_missing(comparison)}. The predictions for other libraries are too low as well."
        ]
    return []


def _missing(comparison: Comparison) -> str:
    """Return the likely reason for a prediction that is too low."""
    if comparison.workload.threads > 1:
        return "arenas and caches of its threads, if they are replayed on one"
    return "that of a library with an allocator of its own"


def _served(row: Row, run: ProgramRun) -> bool:
    """Return whether the library of a row, without settings, is the one that served a run."""
    name, path = library_of(row.subject), row.about.path
    if name is None or path is None or run.malloc is None or split_settings(name)[1]:
        return False
    return Path(path).resolve().name == Path(run.malloc).name
