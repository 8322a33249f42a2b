"""The warning that more threads may run at once in a recording than in the program itself.

If threads come and go, the number of threads at once depends on how fast each of them runs. The
replay repeats the recorded run, in which the recorder slowed the threads. Subtracting the
recorder's time from a recording would not help, because the speed of malloc matters as much. For
example, a program with 200 short-lived threads was recorded under glibc. From this recording, a
median peak of 44 MiB was predicted under mimalloc, but the real peak was 39 MiB. When each call of
mimalloc was delayed by about 40 ns, the real peak was 44 MiB too. This delay is less than the
difference between the two libraries: glibc takes 76 ns/event more than mimalloc.

In another experiment, a recording of such a program was replayed in the order in which a simulated
scheduler would run the threads (two processors, 4 ms at a time, each event at its real cost under
mimalloc). In that experiment, the real peak was 34 MiB, the recorded order predicted 44 MiB, and
the simulated order predicted 11 MiB, because each thread ended within its first 4 ms. So the order
of the events in a run without the recorder depends on details of the kernel, and is not estimated.
"""

from __future__ import annotations

from collections.abc import Sequence

from allocsim.benchmark.comparison import Comparison
from allocsim.benchmark.figures import Row
from allocsim.program_run import ProgramRun
from allocsim.reports.comparison import label

SLOWED = 1.1
"""There is a warning if the recorded run took at least this multiple of the CPU time of the fastest
other run."""


def overlap_warning(comparison: Comparison) -> str:
    """Return the warning, or "" if threads do not come and go or were not slowed.

    For example, a program with 200 short-lived threads had 4.2 threads at once under glibc, and its
    live bytes had a peak of 30 MiB. When the program was recorded, it had 4.5 threads at once and a
    peak of 30.5 MiB. Under mimalloc, it had 2.0 threads at once and a peak of 19 to 29 MiB.
    """
    run = comparison.workload.trace.program_run
    if run is None or run.recorder is None or not comparison.has_short_lived_threads:
        return ""
    fastest = _fastest(comparison.rows)
    if fastest is not None and run.cpu_seconds < SLOWED * _cpu(fastest):
        return ""
    other = f", {_cpu(fastest):.2f} s with {label(fastest)}" if fastest else ""
    return (
        f"of the program's {comparison.workload.threads:,} threads, at most "
        f"{comparison.threads_at_once:,} existed at the same time when it was recorded. This "
        "number depends on how fast they run, and the recorder slowed them "
        f"({run.cpu_seconds:.2f} s of CPU time under {run.recorder}{other}). Without the recorder, "
        "or with a faster malloc, fewer threads may exist at the same time, and the predicted "
        "peaks may be too high."
    )


def recordings_warning(comparison: Comparison) -> str:
    """Return a sentence about the recordings of the program, or "" if none is needed.

    If there are several recordings, it explains the figures. If there is one recording and peaks
    are not ranked, it says why.

    A program with 200 short-lived threads was recorded five times. Replays of these recordings on
    jemalloc had peaks from 40 to 59 MiB, and the program itself had peaks from 34 to 63 MiB.
    """
    if comparison.recordings > 1:
        return _several_recordings(comparison)
    if comparison.ranks_peaks:
        return ""
    # These warnings say why only one of several recordings is used.
    is_repeated = bool(comparison.recording_warnings)
    remedy = " `allocsim compare --real-runs 3 -- PROGRAM` records such a program several times."
    return (
        "peaks are not ranked: the program's threads come and go, so its peak differs from run to "
        f"run, and this is the recording of one run.{'' if is_repeated else remedy}"
    )


def _several_recordings(comparison: Comparison) -> str:
    """Return the explanation of the figures of several recordings."""
    has_failures = any(len(row.peaks) < comparison.recordings for row in comparison.rows)
    chosen = "higher" if comparison.recordings == 2 else "median"
    replays = "the replays that did not fail" if has_failures else "the replays of all recordings"
    return (
        f"the program was recorded {comparison.recordings} times, because its threads come and "
        f"go. Peaks are ranges over {replays}. Times are those of the first recording; other "
        "figures of memory, and the ratio of predicted to real, are those of the recording with "
        f"the {chosen} peak."
    )


def _fastest(rows: Sequence[Row]) -> Row | None:
    """Return the row of the library with the least CPU time, or None if the program was not run."""
    real = [row for row in rows if row.real is not None and row.real.runs]
    return min(real, key=_cpu, default=None)


def _cpu(row: Row) -> float:
    """Return the median CPU time of the program's runs with a library, in seconds."""
    assert row.real is not None
    return row.real.middle(_cpu_seconds)


def _cpu_seconds(run: ProgramRun) -> float:
    """Return the CPU time of a run in seconds."""
    return run.cpu_seconds
