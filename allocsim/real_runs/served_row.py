"""The row of a comparison for the malloc library that served the recorded program."""

from __future__ import annotations

from pathlib import Path

from allocsim.benchmark.comparison import Comparison
from allocsim.benchmark.figures import Row
from allocsim.benchmark.subject import library_of
from allocsim.libraries.names import split_settings
from allocsim.program_run import ProgramRun


def served_row(comparison: Comparison) -> Row | None:
    """Return the row of the malloc that served the recorded program, or None if it has no row."""
    run = comparison.workload.trace.program_run
    if run is None:
        return None
    return next((row for row in comparison.rows if _served(row, run)), None)


def _served(row: Row, run: ProgramRun) -> bool:
    """Return whether a row has no settings and is for the malloc library that served a run.

    The file names of the row's library and of that malloc are compared.
    """
    name, path = library_of(row.subject), row.about.path
    if name is None or path is None or run.malloc is None or split_settings(name)[1]:
        return False
    return Path(path).resolve().name == Path(run.malloc).name
