"""The CPU times of programs under malloc libraries, compared with predicted ones.

A prediction is the CPU time of malloc alone. The rest of the program takes the same time under
every library, so only the order of the libraries is compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from statistics import median
from typing import NamedTuple

from allocsim.benchmark.comparison import Comparison


class TimeCell(NamedTuple):
    """A program with threads under a library. Predicted and real times are in ns/event."""

    program: str
    library: str
    predicted: Sequence[float]
    real: Sequence[float]

    def line(self) -> str:
        """Return the cell as a line of the table."""
        return f"{self.program:<8} {self.library:<13} {_range(self.predicted)}  {_range(self.real)}"


HEAD = f"{'program':<8} {'library':<13} {'predicted CPU ns/event':^27}  {'real CPU ns/event':^27}"


def time_cells(name: str, comparison: Comparison) -> list[TimeCell]:
    """Return the cells of a program, without the libraries that lack times."""
    events = comparison.workload.events
    return [
        TimeCell(
            name,
            row.subject,
            row.times.runs,
            [1e9 * run.cpu_seconds / events for run in row.real.runs],
        )
        for row in comparison.rows
        if row.times and row.real and row.real.runs
    ]


def time_lines(cells: Sequence[TimeCell]) -> list[str]:
    """Return the table, and a sentence for each pair that is not in the predicted order."""
    return [HEAD, *(cell.line() for cell in cells), *disagreements(cells)] if cells else []


def disagreements(cells: Sequence[TimeCell]) -> Iterator[str]:
    """Yield a sentence for each pair of libraries whose real order was not predicted.

    If the real runs of a pair overlap, the pair has no order.
    """
    for one, other in combinations(cells, 2):
        fast, slow = sorted((one, other), key=lambda cell: median(cell.real))
        if one.program != other.program or max(fast.real) >= min(slow.real):
            continue
        if max(fast.predicted) < min(slow.predicted):
            continue
        is_reversed = max(slow.predicted) < min(fast.predicted)
        found = "the reverse is predicted" if is_reversed else "no order is predicted"
        yield f"{one.program}: {fast.library} is faster than {slow.library}; {found}"


def _range(values: Sequence[float]) -> str:
    """Return the median and the range of times."""
    return f"{median(values):7.1f}  {min(values):7.1f} - {max(values):<7.1f}"
