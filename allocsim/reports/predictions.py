"""Predict the peak memory of the recorded program, and check the prediction.

The prediction is the peak of the replay plus the memory that the program did not get from malloc. A
replay on the program's own malloc makes the same calls as the program, so the peaks of the replay
and of the program should agree. If they do not, the predictions for other libraries are wrong for
the same reason.
"""

from __future__ import annotations

from msgspec.structs import replace

from allocsim.benchmark.comparison import Comparison
from allocsim.benchmark.figures import Row
from allocsim.driver_records import Touch
from allocsim.program_run import ProgramRun
from allocsim.real_runs.served_row import served_row
from allocsim.reports.comparison import label
from allocsim.reports.peak_range import lowest_peak, range_text
from allocsim.text import format_bytes

TOLERATED, TOLERATED_BYTES = 0.15, 1 << 20
"""Tolerance of a prediction, as a share of the recorded peak and in bytes; the larger one applies.
The bytes are for small programs, whose peak is mainly the library's startup state."""


def prediction(row: Row, comparison: Comparison) -> int | None:
    """Return the peak in bytes that a row predicts for the recorded program.

    Returns None if the trace does not describe the program's run, or memory was not measured.
    """
    recorded = comparison.workload.trace.program_run
    if recorded is None or row.memory is None:
        return None
    return row.memory.peak + recorded.outside_malloc


def prediction_warnings(comparison: Comparison) -> list[str]:
    """Return a list with a warning if the prediction for the program's own malloc is wrong or was
    not checked, else an empty list.

    The prediction is wrong if it differs from the recorded peak by more than the tolerance. If the
    end of the run was not sampled, the true peak may be higher than the recorded one, so only a
    prediction that is too low is known to be wrong.
    """
    run, row = comparison.workload.trace.program_run, served_row(comparison)
    predicted = prediction(row, comparison) if row else None
    if run is None or row is None or predicted is None:
        return []
    allowed = max(TOLERATED * run.anonymous_peak, TOLERATED_BYTES)
    if run.unsampled and predicted >= run.anonymous_peak - allowed:
        return [
            f"the recorded program's peak may be higher than {format_bytes(run.anonymous_peak)}, "
            f"because its last {run.unsampled:.2f} s were not sampled. The predictions were not "
            "compared with this peak."
        ]
    # `run` is the run of one recording. If there are several, only its own peak is compared.
    own = replace(row, peaks=[])
    peaks = (
        f"the prediction for {label(row)} is {range_text(own, run.outside_malloc)}, and the "
        f"recorded program had {format_bytes(run.anonymous_peak)}"
    )
    low = lowest_peak(row)
    if low is not None and run.anonymous_peak <= predicted + allowed:
        return [f"{peaks}: {_nearer_end(run, low + run.outside_malloc, predicted)}"]
    if predicted > run.anonymous_peak + allowed:
        return [f"{peaks}: {_excess(comparison)}"]
    if predicted < run.anonymous_peak - allowed:
        return [
            f"{peaks}: the program has memory that the replay does not have, such as "
            f"{_missing(comparison)}. The predictions for other libraries are too low as well."
        ]
    return []


def _nearer_end(run: ProgramRun, low: int, high: int) -> str:
    """Say which end of the predicted range is nearer to the recorded peak; ends are in bytes."""
    if run.anonymous_peak - low < high - run.anonymous_peak:
        return (
            "the program writes to little of its large objects, so the lower ends of the ranges "
            "are the better predictions, also for other libraries."
        )
    return (
        "the program writes to most of its large objects, so the upper ends of the ranges are the "
        "better predictions, also for other libraries."
    )


def _excess(comparison: Comparison) -> str:
    """Say whether the writes of the replay explain a prediction that is too high."""
    touch, is_recorded = comparison.conditions.touch, comparison.workload.knows_touched
    name = f"--touch {touch.name.lower()}"
    if touch == Touch.FULL:
        return (
            f"{name} assumes that the program writes to all memory that it allocates, which it "
            "probably does not. The predictions for other libraries are too high as well. With "
            "`--touch first`, the replay writes to only the first byte of each object, which gives "
            "lower predictions."
        )
    extent = {
        Touch.NONE: "no object",
        Touch.FIRST: "only the first byte of each object",
        Touch.PAGE: "the same part of each large object as the program"
        if is_recorded
        else "a byte in each page of most objects",
    }
    return (
        f"the replay writes to {extent[touch]} ({name}), but still needs more memory than the "
        "program. The predictions for other libraries are probably too high as well."
    )


def _missing(comparison: Comparison) -> str:
    """Name the memory that is probably missing from a prediction that is too low."""
    if comparison.workload.threads > 1 and not comparison.workload.recorded:
        return "per-thread arenas and caches"
    return "the memory of a library with its own allocator"
