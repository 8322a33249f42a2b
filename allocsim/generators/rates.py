"""Tables of allocation rates: how often each size is allocated, and how many objects are live.

The format comes from Google's fleetbench: a line `size, alloc_rate, num_live` for each size. A
first line with these names is skipped. The units of the rates and of the counts are arbitrary.
Blanks do not matter; lines that start with # are comments. A table without allocations, or without
live bytes, is an error.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from allocsim.errors import InputError
from allocsim.quantities import MAX_SIZE

MAX_TABLE = 16 << 20
"""Maximum size of a table, in bytes; the tables of fleetbench have 50 KiB."""

HEADER = ["size", "alloc_rate", "num_live"]
"""Names of the columns. A first line with these names, in upper or lower case, is skipped."""

MIN_NUMBER, MAX_NUMBER = 1e-30, 1e30
"""Range of the rates and of the numbers of objects; 0 is also allowed. Within this range, the
arithmetic of a workload does not overflow."""

GRAMMAR = (
    "SIZE, ALLOC_RATE, NUM_LIVE: a size in bytes and two numbers, each 0 or from 1e-30 to 1e30"
)
"""Form of a line, for error messages."""


class Rate(NamedTuple):
    """A line of a table."""

    size: int
    """Bytes."""
    allocations: float
    """Allocation rate, in a unit that is the same in all lines."""
    live: float
    """Number of live objects, in a unit that is the same in all lines."""


class RateTable(NamedTuple):
    """A table, and notes on it for the user."""

    rates: list[Rate]
    notes: list[str]


def read_table(path: str) -> RateTable:
    """Read a table. If it is wrong, raises InputError, which names the file and the line."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(MAX_TABLE + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: {reason}; expected a table of {GRAMMAR}") from error
    if len(text) > MAX_TABLE:
        raise InputError(f"{path}: larger than 16 MiB, the maximum for a table")
    numbered = enumerate(text.decode("utf-8-sig", "replace").splitlines(), start=1)
    lines = [(number, line) for number, line in numbered if _has_content(line)]
    if lines and _is_header(lines[0][1]):
        del lines[0]
    rates = [_rate(path, number, line) for number, line in lines]
    if not is_usable(rates):
        raise InputError(f"{path}: no line has an allocation rate, or no line has live bytes")
    return RateTable(rates, [] if text.endswith(b"\n") else [_unended(path, *lines[-1])])


def _unended(path: str, number: int, line: str) -> str:
    """Return the note about a last line without a newline.

    The line is used nevertheless, since most programs write a table as a whole.
    """
    return (
        f"{path}, line {number}, the last, has no newline and may be cut off: {line.strip()[:80]!r}"
    )


def is_usable(rates: list[Rate]) -> bool:
    """Return whether the table has both allocations and live bytes."""
    return any(rate.allocations for rate in rates) and any(rate.size * rate.live for rate in rates)


def _has_content(line: str) -> bool:
    """Return whether a line is neither blank nor a comment."""
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _is_header(line: str) -> bool:
    """Return whether a line has the names of the columns."""
    return [name.strip().lower() for name in line.split(",")] == HEADER


def _rate(path: str, number: int, line: str) -> Rate:
    """Parse a line."""
    try:
        size, allocations, live = line.split(",")
        rate = Rate(int(size), float(allocations), float(live))
    except ValueError:
        rate = Rate(-1, 0, 0)  # out of range, so the line is reported below
    numbers = (rate.allocations, rate.live)
    in_range = all(number == 0 or MIN_NUMBER <= number <= MAX_NUMBER for number in numbers)
    if not (0 <= rate.size <= MAX_SIZE and in_range):
        excerpt = line.strip()[:80]
        raise InputError(f"{path}, line {number}: found {excerpt!r}, expected {GRAMMAR}")
    return rate
