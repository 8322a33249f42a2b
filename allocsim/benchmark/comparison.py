"""Compare several subjects (designs or malloc libraries) on the same workload.

The memory of every subject is measured first, and then the times of every subject. The measurements
run one after another, each in a new process. If a subject fails, its row of the result has the
reason, and the other subjects are still measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from allocsim.benchmark.child import Message, Request
from allocsim.benchmark.event_file import EventFile, write_events
from allocsim.benchmark.figures import Row
from allocsim.benchmark.parent import SubjectFailed, run_child
from allocsim.benchmark.subject import library_of, started_like
from allocsim.core.available_memory import available_memory
from allocsim.driver import Touch
from allocsim.errors import EnvironmentLacks, InputError
from allocsim.events import Trace
from allocsim.heap import RESERVE
from allocsim.libraries.environment import removal_caution
from allocsim.libraries.find import PREFIX, require_library
from allocsim.signals import interrupt_message
from allocsim.workloads import expect_kernels

UNSURE = 0.1
"""If a recording does not say which bytes the program touched, the peak of a library may be too
high. It is shown as a range if it may be too high by this share or more."""

SHORT_LIVED = 2
"""The threads of a program "come and go" if their total number is more than this many times the
maximum number that run at once."""


@dataclass(frozen=True)
class Conditions:
    """Settings of a measurement, the same for all subjects of a comparison."""

    runs: int = 5
    """Number of timed runs of each subject."""
    warmup: int = 1
    """Number of runs before the timed ones; their times do not count."""
    touch: Touch = Touch.PAGE
    timeout: float = 600.0
    """Seconds that each process may take after its kernels have been compiled."""
    limit: int | None = None
    """Maximum footprint in bytes. None: a share of the available memory (see MemoryBound)."""
    reserve: int = RESERVE
    """Bytes of address space for the heap of a design."""
    later: float = 1.0
    """After everything is freed, the footprint is measured twice, this many seconds apart."""
    timed: bool = True
    """Measure times as well as memory."""
    recorded: bool = True
    """Replay each event on its recorded thread, instead of all events on one thread."""
    paced: bool = False
    """When memory is measured, replay on libraries at the pace of the recorded program."""
    keep_settings: bool = False
    """Leave the user's malloc settings in the environment."""
    available: Callable[[], int] = available_memory
    """A function that returns how many bytes of memory are available."""


@dataclass(frozen=True)
class Comparison:
    """The figures of all subjects, and how they were measured."""

    workload: EventFile
    conditions: Conditions
    rows: list[Row]
    """One row for each subject, in the order in which the user named the subjects."""
    caution: str = ""
    """A phrase about the user's malloc settings, if libraries were measured without them."""
    recordings: int = 1
    """Number of recordings of the program. If there are several, rows have the peaks of all
    recordings and the times of the first. `workload` and all other figures are those of the
    recording with the median peak (see `real_runs.median_recording`)."""
    recording_warnings: Sequence[str] = ()
    """Sentences about recordings that failed, and about calls missing from recordings other than
    `workload`. The calls missing from `workload` are in its `Trace.losses`."""

    @property
    def threads_at_once(self) -> int:
        """The maximum number of threads of the recorded program that run at once.

        It is the larger of two numbers, because each may be too low. The sampled number of threads
        lacks those that live for less than a millisecond. The workload lacks threads that never
        allocate.
        """
        run = self.workload.trace.program_run
        return max(self.workload.at_once, run.threads if run else 1)

    @property
    def has_short_lived_threads(self) -> bool:
        """Whether the threads of the recorded program come and go.

        The number of threads that run at once, and with it the peak, then differs from run to run.
        """
        if self.workload.trace.program_run is None or not self.workload.recorded:
            return False
        return self.workload.threads > SHORT_LIVED * self.threads_at_once

    @property
    def ranks_peaks(self) -> bool:
        """Whether the peaks can be ranked.

        Peaks that differ from run to run can be ranked only if several recordings show how much the
        peaks differ.
        """
        return self.recordings > 1 or not self.has_short_lived_threads

    @property
    def rows_with_peaks(self) -> list[Row]:
        """The rows whose memory was measured in the replays of all recordings.

        A row that failed only when it was timed is one of them.
        """
        measured = [row for row in self.rows if row.memory]
        return [row for row in measured if self.recordings in (1, len(row.peaks))]


def compare(
    workload: EventFile,
    subjects: Sequence[str],
    conditions: Conditions,
    progress: Callable[[str, str], None] | None = None,
    may_fail: bool = False,
) -> Comparison:
    """Measure every subject.

    Designs are not timed if the events are on several threads: simulated threads do not contend.
    Before each measurement, `progress` is called with the subject and "memory" or "times". Raises
    EnvironmentLacks if every subject failed, unless `may_fail`.
    """
    rows = [Row(subject=subject) for subject in subjects]
    with interrupt_message(lambda: "and the measuring processes were killed"):
        for figures in ("memory", "times") if conditions.timed else ("memory",):
            # Libraries first: a replay on a library finds the address at which its heap starts, and
            # the heap of the design that models the library must start there too.
            for row in sorted(rows, key=lambda row: library_of(row.subject) is None):
                if row.failure is None and not _is_untimed(row, figures, workload):
                    if progress is not None:
                        progress(row.subject, figures)
                    subject = started_like(row.subject, _start_of_library(row.subject, rows))
                    _measure_row(row, subject, figures, workload, conditions)
    if not may_fail and all(row.failure for row in rows):
        failures = "; ".join(f"{row.subject}: {row.failure}" for row in rows)
        raise EnvironmentLacks(f"no subject could run: {failures}")
    has_library = any(library_of(subject) for subject in subjects)
    caution = removal_caution(conditions.keep_settings) if has_library else ""
    return Comparison(workload, conditions, rows, caution)


def _is_untimed(row: Row, figures: str, workload: EventFile) -> bool:
    """Return whether `figures` are the times of a design on several threads (see `compare`)."""
    return figures == "times" and workload.recorded and library_of(row.subject) is None


def compare_trace(
    trace: Trace,
    subjects: Sequence[str],
    conditions: Conditions,
    progress: Callable[[str, str], None] | None = None,
    read: Callable[[], None] = lambda: None,
    may_fail: bool = False,
) -> Comparison:
    """Read a trace and measure every subject on it (see `compare`).

    `read` is called when the whole trace has been read; the trace's notes are then complete. Raises
    InputError if the trace has no events.
    """
    expect_kernels(trace, subjects)
    workload = write_events(trace, available=conditions.available, recorded=conditions.recorded)
    try:
        if not workload.events:
            raise InputError(f"{trace.name} has no events to measure")
        _require_times(workload, conditions)
        read()
        return compare(workload, subjects, conditions, progress, may_fail=may_fail)
    finally:
        workload.close()


def _require_times(workload: EventFile, conditions: Conditions) -> None:
    """Raise InputError if `paced` is set, but the workload has no times or lasts too long."""
    if not conditions.paced:
        return
    name, seconds = workload.trace.name, workload.seconds
    if seconds is None:
        raise InputError(
            f"{name} has no times, but `--pace recorded` needs them; `allocsim record --with "
            "preload` records times, but slices and samples of a trace have none"
        )
    if seconds > conditions.timeout:
        raise InputError(
            f"{name} lasts {seconds:.0f} s, and `--pace recorded` replays it in that time; "
            f"increase --timeout, which is {conditions.timeout:g} s"
        )


def measure(
    subject: str,
    figures: str,
    workload: EventFile,
    conditions: Conditions,
    arrays: int = -1,
    experiments: int = 0,
    moments: Sequence[int] = (),
) -> Message:
    """Measure a subject's "memory", "times", "pages" or "snapshots" in a new child process.

    `arrays`, `experiments` and `moments` are for "pages" and "snapshots" (see Request). Raises
    SubjectFailed on failure.
    """
    request = Request(
        subject=subject,
        measure=figures,
        events=workload.descriptor,
        first=workload.first,
        messages=-1,  # set by `run_child`
        recorded=workload.recorded,
        touch=conditions.touch,
        limit=conditions.limit,
        available=conditions.available(),
        reserve=conditions.reserve,
        arrays=arrays,
        experiments=experiments,
        moments=[*moments],
        times=workload.times if library_of(subject) else (),
        waits=conditions.paced,
        later=conditions.later,
        runs=conditions.runs,
        warmup=conditions.warmup,
    )
    return run_child(request, conditions.timeout, conditions.keep_settings)


def _start_of_library(design: str, rows: Sequence[Row]) -> int | None:
    """Return the start address that the library `lib:<design>` reported, or None if unknown."""
    starts = (row.about.start for row in rows if row.subject == f"{PREFIX}{design}")
    return next(starts, None)


def _measure_row(
    row: Row, subject: str, figures: str, workload: EventFile, conditions: Conditions
) -> None:
    """Measure "memory" or "times" for a row, and store the figures or the failure in the row.

    `subject` is the row's subject, perhaps with additional settings.
    """
    library = library_of(row.subject)
    try:
        if library is not None:
            require_library(library)
        message = measure(subject, figures, workload, conditions)
    except (SubjectFailed, EnvironmentLacks) as failure:
        row.failure = str(failure)
        return
    row.about = message.about
    row.memory, row.times = row.memory or message.memory, row.times or message.times
    if figures == "memory" and row.memory and _may_be_lower(row, workload, conditions):
        row.memory.lowest = _lowest(subject, workload, conditions)


def _may_be_lower(row: Row, workload: EventFile, conditions: Conditions) -> bool:
    """Return whether a library's peak may be too high by UNSURE (a share of it) or more.

    Two conditions must hold. The recording does not say which bytes the program touched, and
    counting at most 4 KiB of each object lowers the peak of the live bytes by UNSURE or more.
    """
    is_unknown = conditions.touch == Touch.PAGE and not workload.knows_touched
    if row.memory is None or library_of(row.subject) is None or not is_unknown:
        return False
    return row.memory.first_live < (1 - UNSURE) * row.memory.peak_live


def _lowest(subject: str, workload: EventFile, conditions: Conditions) -> int | None:
    """Return the peak of a library in a replay that touches only the first byte of each object.

    Returns None if this replay fails.
    """
    first = replace(conditions, touch=Touch.FIRST, later=0.0)
    try:
        memory = measure(subject, "memory", workload, first).memory
    except (SubjectFailed, EnvironmentLacks):
        return None
    return memory.peak if memory else None
