"""Compare allocators for a program: record it, run it under each library, and replay the recording.

The program runs `real_runs` times under each library. It is recorded once, or RECORDINGS times if
its threads come and go and `real_runs` is not 0. By default, its output is hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from allocsim.benchmark.comparison import Comparison, Conditions, compare_trace
from allocsim.benchmark.figures import Row
from allocsim.errors import EnvironmentLacks, InputError
from allocsim.events import Trace
from allocsim.libraries.environment import program_environment, removal_caution
from allocsim.real_runs.median_recording import combine
from allocsim.real_runs.recording import record
from allocsim.real_runs.under_library import RealConditions, run_under_libraries
from allocsim.recorders.base import Request, work_directory
from allocsim.recorders.program import Program
from allocsim.recorders.quiet_run import QuietRuns

RECORDINGS = 3
"""Number of times that a program is recorded if its threads come and go. The spread of its peaks is
not known from a single recording."""

FAILURE_ADVICE = "; use --show-output to see why, or --ignore-failure to compare anyway"

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
    called with each trace after it has been read. Raises InputError if the program fails, and
    EnvironmentLacks if it cannot be recorded or if every subject failed in the first recording.
    """
    environment = program_environment(None, conditions.keep_settings)
    quiet = QuietRuns(environment, conditions.timeout, runs.shows_output)
    rows = [Row(subject=subject) for subject in subjects]
    request = Request(program, runner=quiet.run)
    with work_directory() as directory:
        progress(program.name, "recording")
        accepted = None if runs.ignores_failure else 0
        status, trace = record(request, directory, accepted, FAILURE_ADVICE)
        if runs.real_runs:
            real = RealConditions(runs.real_runs, status, quiet, conditions.keep_settings)
            run_under_libraries(program, rows, real, progress)
        comparison = compare_trace(trace, subjects, conditions, progress, lambda: read(trace))

    def measure_again() -> Comparison:
        """Record the program again, and measure the memory of each subject."""
        with work_directory() as directory:
            progress(program.name, "recording")
            _, trace = record(request, directory, status, ", unlike in the first recording")
            memory = replace(conditions, timed=False)
            return compare_trace(
                trace, subjects, memory, progress, lambda: read(trace), may_fail=True
            )

    if comparison.has_short_lived_threads and runs.real_runs:
        comparison = _with_repetitions(comparison, measure_again)
    for row, measured in zip(rows, comparison.rows, strict=True):
        measured.real = row.real
    return replace(comparison, caution=removal_caution(conditions.keep_settings))


def _with_repetitions(first: Comparison, measure_again: Callable[[], Comparison]) -> Comparison:
    """Measure more recordings; return one comparison that combines all recordings.

    A recording that fails is left out, with a warning. A row of the result has a failure if its
    replay failed in any recording.
    """
    recordings, failures = [first], []
    for number in range(2, RECORDINGS + 1):
        try:
            recordings.append(measure_again())
        except (InputError, EnvironmentLacks) as error:
            failures.append(f"recording {number} of {RECORDINGS} failed: {error}.")
    found = combine(recordings) if len(recordings) > 1 else first
    return replace(found, recording_warnings=[*failures, *found.recording_warnings])
