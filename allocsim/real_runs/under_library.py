"""Run a program under each malloc library of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from allocsim.benchmark.figures import Row
from allocsim.benchmark.subject import library_of
from allocsim.errors import EnvironmentLacks
from allocsim.libraries.environment import program_environment
from allocsim.libraries.find import require_library
from allocsim.program_run import ProgramRun, RealRuns
from allocsim.recorders.linkage import linked_allocator
from allocsim.recorders.program import Outcome, Program
from allocsim.recorders.quiet_run import QuietRuns, TimedOut


@dataclass(frozen=True)
class RealConditions:
    """The settings of a program's runs, the same for all libraries."""

    runs: int
    """Number of runs under each library."""
    status: int
    """Exit status of the recorded run. Every run must end with it."""
    quiet: QuietRuns
    keep_settings: bool
    """Whether the user's malloc settings stay in the environment."""


ATTEMPTS = 3
"""Maximum number of times that the program is run for one measurement (see `_run`)."""


class NotServed(EnvironmentLacks):
    """The program did not run on the library, or did not end as in the recorded run."""


def run_under_libraries(
    program: Program,
    rows: Sequence[Row],
    conditions: RealConditions,
    progress: Callable[[str, str], None],
) -> None:
    """Run the program under the library of each row of a comparison, and set `real` of each row.

    The libraries take turns, so that a change of the machine's speed affects all of them. After its
    first failure, a library is not run again. Before each run, `progress` is called with the
    library's name (the row's subject) and "real run".
    """
    libraries = {row.subject: name for row in rows if (name := library_of(row.subject))}
    for row in rows:
        row.real = RealRuns() if row.subject in libraries else None
    for _ in range(conditions.runs):
        for row in rows:
            if row.real is not None and row.real.failure is None:
                progress(row.subject, "real run")
                _add_run(row.real, program, libraries[row.subject], conditions)


def _add_run(real: RealRuns, program: Program, library: str, conditions: RealConditions) -> None:
    """Run the program once more under a library, and add the figures or the failure."""
    try:
        real.runs.append(run_under(program, library, conditions))
    except (EnvironmentLacks, TimedOut) as failure:
        real.failure = str(failure)


def _run(program: Program, quiet: QuietRuns, file: Path) -> Outcome:
    """Run the program; run it again if no sample shows that the library `file` served it.

    In a short run, even the first sample may come too late. At most ATTEMPTS runs are made.
    """
    outcome = quiet.run(program, {})
    for _ in range(ATTEMPTS - 1):
        if outcome.status != 0 or (outcome.run is not None and _is_served(outcome.run, file)):
            break
        outcome = quiet.run(program, {})
    return outcome


def _is_served(run: ProgramRun, file: Path) -> bool:
    """Return whether `file` is the malloc library that served the program."""
    return run.malloc is not None and Path(run.malloc).resolve() == file


def run_under(program: Program, library: str, conditions: RealConditions) -> ProgramRun:
    """Run the program under a library and return the figures.

    Raises NotServed if another malloc served the program, or if the program's exit status was not
    that of the recorded run. Raises TimedOut if the program took too long, and EnvironmentLacks if
    the library is not installed.
    """
    file, linked = Path(require_library(library)).resolve(), linked_allocator(program)
    if linked is not None and linked != file.name and not file.name.startswith(linked):
        raise NotServed(f"{program.name} is linked to {linked}, and was not run under this library")
    environment = program_environment(library, conditions.keep_settings, linked is not None)
    outcome = _run(program, replace(conditions.quiet, environment=environment), file)
    if outcome.status != conditions.status:
        raise NotServed(f"{program.name} {outcome.description} under this library")
    if outcome.run is None:
        raise NotServed(f"{program.name} ended before it could be measured")
    if not _is_served(outcome.run, file):
        raise NotServed(
            f"{program.name} was served by {outcome.run.malloc or 'an unknown malloc'}, although "
            f"{file} was preloaded"
        )
    return outcome.run
