"""Compare allocators for a program: record it, run it under each library, and replay the recording.

The program runs once for the recording and several times under each library. It is recorded several
times if its threads come and go. By default, its output is hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from allocsim.benchmark.comparison import Comparison, Conditions, compare_trace
from allocsim.benchmark.figures import Row
from allocsim.errors import InputError
from allocsim.events import Trace
from allocsim.libraries.environment import program_environment, removal_caution
from allocsim.real_runs.under_library import RealConditions, run_under_libraries
from allocsim.recorders import usable_recorders
from allocsim.recorders.base import Request, work_directory
from allocsim.recorders.caveats import caveats_before, leftover_note, losses_after
from allocsim.recorders.conversion import Finished, convert
from allocsim.recorders.program import Outcome, Program
from allocsim.recorders.quiet_run import QuietRuns
from allocsim.traces import open_trace

RECORDER = "preload"

RECORDINGS = 3
"""Number of times that a program is recorded if its threads come and go. The spread of its peaks is
not known from a single recording."""

Progress = Callable[[str, str], None]


@dataclass(frozen=True)
class ProgramConditions:
    """The settings with which the program is run and recorded."""

    real_runs: int = 3
    """Number of runs under each library; 0 if the program is run only to be recorded."""
    ignores_failure: bool = False
    """Whether the program may exit with a status other than 0."""
    shows_output: bool = False
    """Whether the program's output goes to standard error; otherwise it is hidden."""


def compare_program(
    program: Program,
    subjects: Sequence[str],
    runs: ProgramConditions,
    conditions: Conditions,
    progress: Progress,
    read: Callable[[Trace], None],
) -> Comparison:
    """Record a program, run it under each library, and replay the recording on each subject.

    `subjects` are names of designs and libraries, with their settings. `progress` is called before
    each measurement, with the name of the program or subject and the kind of measurement. `read` is
    called with the trace after it has been read. Raises InputError if the program fails, and
    EnvironmentLacks if it cannot be recorded or if every subject failed.
    """
    environment = program_environment(None, conditions.keep_settings)
    quiet = QuietRuns(environment, conditions.timeout, runs.shows_output)
    rows = [Row(subject=subject) for subject in subjects]
    request = Request(program, runner=quiet.run)
    with work_directory() as directory:
        progress(program.name, "recording")
        status, trace = _recorded(request, directory, runs)
        if runs.real_runs:
            real = RealConditions(runs.real_runs, status, quiet, conditions.keep_settings)
            run_under_libraries(program, rows, real, progress)
        comparison = compare_trace(trace, subjects, conditions, progress, lambda: read(trace))
    if comparison.has_short_lived_threads and runs.real_runs:
        others = [
            _measured_again(request, subjects, runs, conditions, progress)
            for _ in range(RECORDINGS - 1)
        ]
        choose_medians(comparison.rows, others)
    for row, measured in zip(rows, comparison.rows, strict=True):
        measured.real = row.real
    return replace(comparison, caution=removal_caution(conditions.keep_settings))


def _measured_again(
    request: Request,
    subjects: Sequence[str],
    runs: ProgramConditions,
    conditions: Conditions,
    progress: Progress,
) -> list[Row]:
    """Record the program again, and measure the memory of each subject; return the rows."""
    with work_directory() as directory:
        progress(request.program.name, "recording")
        _, trace = _recorded(request, directory, runs)
        return compare_trace(trace, subjects, replace(conditions, timed=False), progress).rows


def choose_medians(rows: Sequence[Row], others: Sequence[Sequence[Row]]) -> None:
    """In each row, choose the memory with the median peak, and store the peaks of all recordings.

    `others` has the rows of the other recordings.
    """
    for row, *more in zip(rows, *others, strict=True):
        found = [each.memory for each in (row, *more) if each.memory is not None]
        found.sort(key=lambda memory: memory.peak)
        if row.memory is not None and len(found) > 1:
            row.memory = found[len(found) // 2]
            row.peaks = [memory.peak for memory in found]


def _recorded(request: Request, directory: Path, runs: ProgramConditions) -> tuple[int, Trace]:
    """Record the program in a directory; return its exit status and the trace."""
    [recorder] = usable_recorders(request, RECORDER)
    outcome = recorder.run(request, directory)
    _require_success(request.program, outcome, runs)
    notes = [*caveats_before(request, recorder), *filter(None, [leftover_note(directory)])]
    losses = losses_after(recorder, directory, outcome)
    finished = Finished(request, recorder, directory, outcome, losses, notes)
    out = directory / f"{request.program.name}.allocsim"
    convert(finished, out, lambda _: nullcontext())
    trace = open_trace(str(out))
    trace.name = request.program.name
    trace.description.pop("file", None)  # the file is removed with the directory
    return outcome.status, trace


def _require_success(program: Program, outcome: Outcome, runs: ProgramConditions) -> None:
    """Raise InputError if the program failed, unless failures are ignored."""
    if outcome.status and not runs.ignores_failure:
        raise InputError(
            f"{program.name} {outcome.description}; use --show-output to see why, or "
            "--ignore-failure to compare anyway"
        )
