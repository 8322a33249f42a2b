"""Argument checks of the Python interface. Each error names the call and the argument.

An unusable argument raises InputError: a size that is negative or not an integer, an alignment that
is not a power of two. The compiled functions of a design take 64-bit integers, and would wrap or
truncate any other number. A size that is valid but too large raises OutOfMemory; an integer that is
not the address of an object raises InvalidFree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import nan
from numbers import Real
from operator import index
from os import PathLike, fspath
from typing import TypeVar

import numpy as np

from allocsim.errors import InputError, OutOfMemory
from allocsim.quantities import MAX_SECONDS, MIN_SECONDS, parse_size
from allocsim.text import integer_text, object_text

T = TypeVar("T")

MAX_SIZE = (1 << 62) - 1
"""Largest request, in bytes; page arithmetic on such a size stays below 2**63."""


def checked_integer(call: str, name: str, value: object) -> int:
    """Return `value` as an int; NumPy's integers are accepted, bool is not."""
    if not isinstance(value, bool):
        try:
            return index(value)  # type: ignore[arg-type]
        except TypeError:
            pass
    raise InputError(f"{call}: {name} is {object_text(value)}; expected an integer")


def checked_flag(call: str, name: str, value: object) -> bool:
    """Return True or False. Only bool and NumPy's bool are accepted, not "no" or 0."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise InputError(f"{call}: {name} is {object_text(value)}; expected True or False")


def checked_count(call: str, name: str, value: object) -> int:
    """Return `value` as an int that is not negative."""
    number = checked_integer(call, name, value)
    if number < 0:
        raise InputError(f"{call}: {name} is {integer_text(number)}; expected 0 or more")
    return number


def checked_size(call: str, value: object, name: str = "size") -> int:
    """Return a size in bytes that an address space can hold."""
    size = checked_count(call, name, value)
    if size > MAX_SIZE:
        raise OutOfMemory(
            f"{call}: {name} is {integer_text(size)} bytes; no heap can hold more than 2**62 - 1"
        )
    return size


def checked_length(call: str, value: object) -> int:
    """Return a length in bytes, for a call that does not allocate."""
    length = checked_count(call, "length", value)
    if length > MAX_SIZE:
        raise InputError(f"{call}: length is {integer_text(length)}; expected at most 2**62 - 1")
    return length


def checked_alignment(call: str, value: object) -> int:
    """Return an alignment in bytes, a power of two."""
    alignment = checked_integer(call, "alignment", value)
    if alignment < 1 or alignment & (alignment - 1):
        raise InputError(f"{call}: alignment is {integer_text(alignment)}; expected a power of two")
    return checked_size(call, alignment, "alignment")


def checked_range(call: str, name: str, value: object, low: int, high: int) -> int:
    """Return an integer from `low` to `high`."""
    number = checked_integer(call, name, value)
    if not low <= number <= high:
        raise InputError(f"{call}: {name} is {integer_text(number)}; expected {low:,} to {high:,}")
    return number


def checked_seconds(call: str, name: str, value: object) -> float:
    """Return a time limit in seconds; bool and NaN are not accepted."""
    bounds = f"{MIN_SECONDS:g} to {MAX_SECONDS:,.0f} seconds"
    return _checked_number(call, name, value, (MIN_SECONDS, MAX_SECONDS), bounds)


def checked_budget(call: str, name: str, value: object) -> float:
    """Return a time in seconds that a search may take; 0 means no search."""
    return 0.0 if _number(value) == 0 else checked_seconds(call, name, value)


def checked_share(call: str, name: str, value: object) -> float:
    """Return a share of a whole, from 0 to 1; bool and NaN are not accepted."""
    return _checked_number(call, name, value, (0, 1), "a share from 0 to 1")


def checked_bytes(call: str, name: str, value: object) -> int:
    """Return a number of bytes, given as an integer or as a text such as "64MiB"."""
    if not isinstance(value, str):
        return checked_range(call, name, value, 0, MAX_SIZE)
    try:
        return parse_size(value)
    except InputError as error:
        raise InputError(f"{call}: {name}: {error}") from None


def checked_choice(call: str, name: str, value: object, choices: Sequence[str]) -> str:
    """Return one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        expected = ", ".join(choices)
        raise InputError(f"{call}: {name} is {object_text(value)}; expected one of: {expected}")
    return value


def checked_text(call: str, name: str, value: object) -> str:
    """Return `value`, which has to be a str."""
    if not isinstance(value, str):
        raise InputError(f"{call}: {name} is {object_text(value)}; expected a str")
    return value


def checked_path(call: str, name: str, value: object) -> str:
    """Return the path named by a str or by a path object such as a pathlib.Path."""
    return checked_text(call, name, fspath(value) if isinstance(value, PathLike) else value)


def checked_optional(
    check: Callable[[str, str, object], T], call: str, name: str, value: object
) -> T | None:
    """Return None, or a value that `check` accepts."""
    return None if value is None else check(call, name, value)


def _checked_number(
    call: str, name: str, value: object, bounds: tuple[float, float], expected: str
) -> float:
    """Return a number between two bounds, both included."""
    number = _number(value)
    if not bounds[0] <= number <= bounds[1]:
        raise InputError(f"{call}: {name} is {object_text(value)}; expected {expected}")
    return number


def _number(value: object) -> float:
    """Return a number of Python or NumPy as a float, or NaN for a bool, a time or anything else."""
    if isinstance(value, bool | np.timedelta64) or not isinstance(value, Real):
        return nan
    try:
        return float(value)
    except OverflowError:  # an integer above 10**308
        return nan
