"""scripts/verify-predictions: compare the predicted memory of real programs with real runs.

Each program is recorded once, or several times if its threads come and go. The recording is
replayed on each library to predict the peak, and the program runs under each library several times.
The ratio is the predicted peak divided by the median of the real peaks.

Exits with 1 if too few ratios are close to 1, if a ratio is far from 1, or if two libraries are not
in the predicted order. A distant ratio or a wrong order is only printed, as "warned of", if
`compare` warns that the recorder slowed the program's threads. Pairs of libraries that `compare`
does not rank are printed too. For programs with threads, also prints the CPU times, and the pairs
of libraries whose order by CPU time was not predicted.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import click

from allocsim.benchmark.comparison import Comparison, Conditions
from allocsim.benchmark.figures import Row
from allocsim.errors import AllocsimError
from allocsim.real_runs.comparison import ProgramConditions, compare_program
from allocsim.recorders.program import Program
from allocsim.reports.comparison import label
from allocsim.reports.predictions import prediction, prediction_warnings
from allocsim.reports.ranking import by_peak, close_peaks
from allocsim.reports.thread_overlap import overlap_warning
from allocsim.text import format_bytes
from tests.predictions.programs import THREADED, programs
from tests.predictions.times import TimeCell, time_cells, time_lines

LIBRARIES = ("lib:glibc", "lib:jemalloc", "lib:tcmalloc", "lib:mimalloc")

CLOSE, CLOSE_SHARE = 0.15, 0.9
"""At least the share CLOSE_SHARE of the ratios must be within CLOSE of 1."""

MAX_ERROR = 0.3
"""Maximum distance of a ratio from 1, unless `compare` warns about the program."""

DISTINCT = 1.1
"""If the real peaks of two libraries differ by more than this factor, the order of the libraries
must be as predicted, if `compare` predicts an order."""


class Cell(NamedTuple):
    """The prediction and the real runs of a program under a library. Peaks are in bytes."""

    program: str
    library: str
    predicted: int
    real: float
    lowest: float
    highest: float
    warned: bool = False
    """Whether `compare` warns that the recorder slowed the program's threads (`thread_overlap`)."""
    unranked: frozenset[str] = frozenset()
    """The libraries that `compare` does not rank against this one, because the predicted peaks are
    too close."""

    @property
    def ratio(self) -> float:
        """Predicted peak / median of the real peaks."""
        return self.predicted / self.real

    @property
    def error(self) -> float:
        """The distance of the ratio from 1."""
        return abs(self.ratio - 1)

    def line(self) -> str:
        """Return the cell as a line of the table."""
        low, high = format_bytes(self.lowest), format_bytes(self.highest)
        mark = "" if self.error <= CLOSE else "  *" if self.error <= MAX_ERROR else "  **"
        return (
            f"{self.program:<8} {self.library:<13} {format_bytes(self.predicted):>10} "
            f"{format_bytes(self.real):>10}  {low:>10} - {high:<10} {self.ratio:5.2f}{mark}"
        )


HEAD = f"{'program':<8} {'library':<13} {'predicted':>10} {'real':>10}  {'range':^23} ratio"


@click.command()
@click.option("--runs", default=5, show_default=True, help="Real runs under each library.")
@click.option("--only", multiple=True, help="Name of a program; may be repeated. Default: all.")
def main(runs: int, only: Sequence[str]) -> None:
    """Predict the memory of programs under four malloc libraries, and measure it."""
    cells: list[Cell] = []
    times: list[TimeCell] = []
    click.echo(HEAD)
    with tempfile.TemporaryDirectory() as directory:
        for name, program in programs(Path(directory)):
            if not only or name in only:
                comparison = _compared(name, program, runs)
                for cell in _cells(name, comparison):
                    click.echo(cell.line())
                    cells.append(cell)
                times += time_cells(name, comparison) if comparison else ()
    close = sum(cell.error <= CLOSE for cell in cells)
    click.echo(f"{close} of {len(cells)} ratios are within {CLOSE:.0%} of 1")
    faults = faults_of(cells)
    for line in (*faults, *warned_of(cells), *unranked_of(cells), *time_lines(times)):
        click.echo(line)
    sys.exit(1 if faults or not cells else 0)


def faults_of(cells: Sequence[Cell]) -> list[str]:
    """Return a sentence for each failure, except wrong predictions of which `compare` warns."""
    close = sum(cell.error <= CLOSE for cell in cells)
    too_few = f"fewer than {CLOSE_SHARE:.0%} of the ratios are within {CLOSE:.0%} of 1"
    few = [too_few] if close < CLOSE_SHARE * len(cells) else []
    return [f"FAILED: {fault}" for fault in (*few, *_wrong(cells, warned=False))]


def warned_of(cells: Sequence[Cell]) -> list[str]:
    """Return a sentence for each wrong prediction of which `compare` warns."""
    return [f"warned of: {fault}" for fault in _wrong(cells, warned=True)]


def unranked_of(cells: Sequence[Cell]) -> list[str]:
    """Return a sentence for each pair of libraries that differ, but are not ranked."""
    return [
        f"{low.program}: {low.library} has a lower peak than {high.library}; no order is predicted"
        for low, high in _distinct(cells)
        if high.library in low.unranked
    ]


def _compared(name: str, program: Program | str, runs: int) -> Comparison | None:
    """Record, replay and run a program; return None and print the reason if that is impossible."""
    if isinstance(program, str):
        click.echo(f"{name}: skipped: {program}")
        return None
    how = ProgramConditions(runs)
    conditions = Conditions(timed=name in THREADED, later=0.0)
    try:
        return compare_program(program, LIBRARIES, how, conditions, lambda *_: None, lambda _: None)
    except AllocsimError as error:
        click.echo(f"{name}: {error}")
        return None


def _cells(name: str, comparison: Comparison | None) -> Iterator[Cell]:
    """Yield the cells of a program; print warnings, and why a cell cannot be measured."""
    if comparison is None:
        return
    caution = overlap_warning(comparison)
    for warning in (*prediction_warnings(comparison), *filter(None, [caution])):
        click.echo(f"{name}: warning: {warning}")
    for row in comparison.rows:
        predicted, real = prediction(row, comparison), row.real
        failure = row.failure or (real and real.failure)
        if failure or predicted is None or real is None:
            click.echo(f"{name} {label(row)}: {failure}")
            continue
        peaks = [run.anonymous_peak for run in real.runs]
        middle = real.middle(lambda run: run.anonymous_peak)
        unranked = _unranked(row, comparison)
        yield Cell(
            name, row.subject, predicted, middle, min(peaks), max(peaks), bool(caution), unranked
        )


def _unranked(row: Row, comparison: Comparison) -> frozenset[str]:
    """Return the libraries that a comparison does not rank against the one of `row`."""
    others = [each for each in by_peak(comparison.rows) if each is not row]
    close = close_peaks(row, others) if comparison.ranks_peaks else others
    return frozenset(each.subject for each in close)


def _distinct(cells: Sequence[Cell]) -> Iterator[tuple[Cell, Cell]]:
    """Yield each pair of libraries of a program whose real peaks differ, the lower peak first."""
    for one, other in combinations(cells, 2):
        low, high = sorted((one, other), key=lambda cell: cell.real)
        if one.program == other.program and high.real > DISTINCT * low.real:
            yield low, high


def _wrong(cells: Sequence[Cell], warned: bool) -> Iterator[str]:
    """Yield a sentence for each distant ratio, and each pair that is ranked in the wrong order.

    Only cells with this value of `Cell.warned` count.
    """
    chosen = [cell for cell in cells if cell.warned == warned]
    for cell in chosen:
        if cell.error > MAX_ERROR:
            ratio = f"{cell.ratio:.2f} times the real median"
            yield f"{cell.program} under {cell.library}: predicted {ratio}"
    for low, high in _distinct(chosen):
        if high.library not in low.unranked and high.predicted <= low.predicted:
            overlap = "; their real runs overlap" if high.lowest <= low.highest else ""
            yield f"{low.program}: {high.library} is predicted below {low.library}{overlap}"


if __name__ == "__main__":
    main()
