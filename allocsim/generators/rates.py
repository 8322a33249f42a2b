"""Tables of births: how often each size is allocated, and how many such objects live at a time.

Below `empirical`, which plays them. The form is fleetbench's: a line `size, alloc_rate, num_live`
for each size, no header, blanks as one likes; rates and counts are relative to one another. Lines
that begin with # are comments. Its one rule: a table that is read has a birth, and bytes that live.
"""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import NamedTuple

from allocsim.errors import InputError
from allocsim.text import MAX_SIZE

LONGEST = 16 << 20
"""Bytes of the longest table; fleetbench's have 50 KiB."""

GRAMMAR = "SIZE, ALLOC_RATE, NUM_LIVE: a size in bytes and two numbers that are not negative"


class Rate(NamedTuple):
    """A line of a table."""

    size: int
    """Bytes."""
    births: float
    """Allocations in some unit of time, the same in all lines."""
    live: float
    """Objects that live at a time, in some unit, the same in all lines."""


def read_rates(path: str) -> list[Rate]:
    """The lines of a table; InputError, naming file and line, if it is none."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(LONGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: {reason}; expected a table of {GRAMMAR}") from error
    if len(text) > LONGEST:
        raise InputError(f"{path}: longer than 16 MiB, which no table of sizes is")
    lines = enumerate(text.decode("utf-8", "replace").splitlines(), start=1)
    rates = [_rate(path, number, line) for number, line in lines if _says_something(line)]
    if not is_playable(rates):
        raise InputError(f"{path}: nothing to play: no line has births, or no bytes of any live")
    return rates


def is_playable(rates: list[Rate]) -> bool:
    """Whether there is a birth, and there are bytes that live."""
    return any(rate.births for rate in rates) and any(rate.size * rate.live for rate in rates)


def _says_something(line: str) -> bool:
    """Whether a line is neither blank nor a comment."""
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _rate(path: str, number: int, line: str) -> Rate:
    """What a line says."""
    try:
        size, births, live = line.split(",")
        rate = Rate(int(size), float(births), float(live))
    except ValueError:
        rate = Rate(-1, 0, 0)
    numbers = (rate.births, rate.live)
    if not (0 <= rate.size <= MAX_SIZE and all(isfinite(n) and 0 <= n <= 1e30 for n in numbers)):
        shown = line.strip()[:80]
        raise InputError(f"{path}, line {number}: found {shown!r}, expected {GRAMMAR}")
    return rate
