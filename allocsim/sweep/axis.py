"""Axes of a grid: the values that a setting takes, from the options -L and -P."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from allocsim.benchmark.subject import design_of, library_of
from allocsim.designs import find_design
from allocsim.errors import InputError
from allocsim.libraries.names import split_settings
from allocsim.libraries.settings import available_settings
from allocsim.quantities import parse_count, parse_size

UNSET = "default"
"""The value that leaves a setting out, so that the allocator uses its default."""

MAX_VALUES = 1_000_000
"""Maximum number of values of an axis."""

_KEY = re.compile(r"(?:(?P<subject>.+):)?(?P<key>[A-Za-z_]\w*)=(?P<values>.*)", re.ASCII)
_FACTOR = re.compile(r"x([0-9]{1,9})")


@dataclass(frozen=True)
class Axis:
    """A setting and the values that it takes."""

    key: str
    values: Sequence[str]
    subject: str | None = None
    """The only allocator to which the axis applies. None if it applies to all allocators that have
    the setting."""

    def applies_to(self, subject: str) -> bool:
        """Return whether the axis applies to a subject. `subject` is a name in the form of --on."""
        if self.subject is not None and self.subject not in (subject, allocator_of(subject)):
            return False
        return self.subject is not None or self.key in settings_of(subject)


def list_axis(text: str) -> Axis:
    """Parse the option -L: KEY=A,B,C or SUBJECT:KEY=A,B,C. Raises InputError if it is invalid."""
    subject, key, given = _split(text, "KEY=A,B,C")
    values = [value.strip() for value in given.split(",")]
    if not all(values):
        raise InputError(f"'{text}' has an empty value; expected KEY=A,B,C")
    _require_different(text, values)
    return Axis(key, values, subject)


def range_axis(text: str) -> Axis:
    """Parse the option -P: KEY=LOW:HIGH, KEY=LOW:HIGH:STEP or KEY=LOW:HIGH:xFACTOR.

    HIGH is included if a step ends there. Raises InputError if the option is invalid.
    """
    subject, key, values = _split(text, "KEY=LOW:HIGH:STEP")
    parts = values.split(":")
    if not 2 <= len(parts) <= 3:
        raise InputError(f"'{text}' is not a range; expected KEY=LOW:HIGH:STEP")
    low, high = (_number(text, part) for part in parts[:2])
    step = parts[2] if len(parts) == 3 else "1"
    if low > high:
        raise InputError(f"'{text}' is empty: {parts[0]} is greater than {parts[1]}")
    if factor := _FACTOR.fullmatch(step):
        return Axis(key, _multiples(text, low, high, int(factor[1])), subject)
    stride = _number(text, step)
    if stride < 1:
        raise InputError(f"'{text}' has the step {step}; expected at least 1")
    if (high - low) // stride >= MAX_VALUES:
        raise InputError(f"'{text}' has too many values; expected at most {MAX_VALUES:,}")
    return Axis(key, [str(value) for value in range(low, high + 1, stride)], subject)


def allocator_of(subject: str) -> str:
    """Return a subject's name without its settings: "lib:glibc" for "lib:glibc:arena_max=1"."""
    library = library_of(subject)
    if library is None:
        return design_of(subject)[0]
    return subject[: len(subject) - len(library)] + split_settings(library)[0]


def settings_in(subject: str) -> dict[str, str]:
    """Return the settings in a subject's name, in their order."""
    library = library_of(subject)
    return design_of(subject)[1] if library is None else split_settings(library)[1]


def settings_of(subject: str) -> list[str]:
    """Return the names of the settings that a subject's allocator has."""
    library = library_of(subject)
    if library is None:
        return list(find_design(design_of(subject)[0]).parameters)
    return list(available_settings(split_settings(library)[0]))


def number_in(text: str) -> int | None:
    """Return the number or the size in bytes that `text` means, or None if it is neither."""
    if (count := parse_count(text)) is not None:
        return count
    try:
        return parse_size(text)
    except InputError:
        return None


def _split(text: str, form: str) -> tuple[str | None, str, str]:
    """Split [SUBJECT:]KEY=VALUES; raise InputError, with the expected form, for other text."""
    match = _KEY.fullmatch(text)
    if match is None:
        raise InputError(f"'{text}': expected {form} or SUBJECT:{form}")
    return match["subject"], match["key"], match["values"]


def _require_different(text: str, values: Sequence[str]) -> None:
    """Raise InputError if a value occurs twice, even in two notations ("1024" and "1KiB")."""
    known: dict[int | str, str] = {}
    for value in values:
        number = number_in(value)
        key = value if number is None else number
        if key in known:
            if known[key] == value:
                raise InputError(f"'{text}' has the value {value} twice")
            raise InputError(f"'{text}' has the same value twice: {known[key]} and {value}")
        known[key] = value


def _number(text: str, part: str) -> int:
    """Return a bound or the step of a range as an integer.

    Raises InputError if it is neither a number nor a size.
    """
    number = number_in(part)
    if number is None:
        raise InputError(f"'{text}': '{part}' is neither a number nor a size")
    return number


def _multiples(text: str, low: int, high: int, factor: int) -> list[str]:
    """Return `low`, low * factor, low * factor^2 and so on, up to `high`."""
    if factor < 2 or low < 1:
        raise InputError(f"'{text}': LOW must be above 0, and the factor must be at least x2")
    values = [low]
    while values[-1] * factor <= high:
        values.append(values[-1] * factor)
    return [str(value) for value in values]
