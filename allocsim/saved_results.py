"""How a subject stands in a saved result: the few figures that a later run is held against.

Above `errors`; below `limits`. It reads what --json prints, of a driver or of `compare`. Its one
rule: a file that is not a result of allocsim, or lacks a figure, is an error that names the key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from allocsim.errors import InputError

PROFILE = "allocsim/profile/"
"""What the schema of a driver's result begins with."""

COMPARISON = "allocsim/comparison/"
"""What the schema of a comparison begins with."""

LONGEST = 1 << 24
"""Bytes of the longest result that is read: a comparison has some KiB, and JSON takes twenty times
its length in memory."""

LARGEST = 1e30
"""No figure is larger, nor smaller than its negative."""


@dataclass(frozen=True)
class Standing:
    """The figures of one subject."""

    subject: str
    footprint: float | None = None
    """Bytes at the peak."""
    end: float | None = None
    """Bytes of footprint at the end."""
    fragmentation: float | None = None
    """1 - live / footprint, at the peak of the footprint."""
    ns: float | None = None
    """Nanoseconds an event; None if it was not timed."""
    failure: str | None = None
    """Why there are no figures."""


class Saved(NamedTuple):
    """A saved result."""

    standings: list[Standing]
    """Every subject."""
    workload: str | None
    """What was played, as the user called it; None if it does not say."""


def read_standings(path: str) -> list[Standing]:
    """Every subject of a saved result; InputError if the file is none."""
    return read_saved(path).standings


def read_saved(path: str) -> Saved:
    """A saved result, read once, since it may be a pipe; InputError if the file is none."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(LONGEST + 1)
        if len(text) > LONGEST:
            raise InputError(f"{path}: longer than 16 MiB, which no saved result is")
        result = json.loads(text.decode())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}") from error
    return Saved(_standings(path, result), _workload(result))


def _standings(path: str, result: Any) -> list[Standing]:
    """Every subject of what a file holds."""
    schema = result.get("schema") if isinstance(result, dict) else None
    if isinstance(schema, str) and schema.startswith(PROFILE):
        return [_of_profile(path, result)]
    if isinstance(schema, str) and schema.startswith(COMPARISON):
        return [
            _of_row(path, result, index) for index in range(len(_list(path, result, "subjects")))
        ]
    found = "none" if schema is None else f"schema {schema!r}"
    raise InputError(
        f"{path}: expected a result of allocsim (--export-json), whose schema is "
        f"{PROFILE}1 or {COMPARISON}1; found {found}"
    )


def _workload(result: dict[str, Any]) -> str | None:
    """What a result was measured with."""
    workload = result.get("workload")
    name = workload.get("name") if isinstance(workload, dict) else None
    return name if isinstance(name, str) else None


def _of_profile(path: str, result: dict[str, Any]) -> Standing:
    """The standing of the design that a driver has played on."""
    return Standing(
        subject=str(_value(path, result, "design")),
        footprint=_number(path, result, "at_peak", "footprint"),
        end=_number(path, result, "at_end", "footprint"),
        fragmentation=_number(path, result, "at_peak", "fragmentation"),
        ns=_number(path, result, "time", "ns_per_event"),
    )


def _of_row(path: str, result: dict[str, Any], index: int) -> Standing:
    """The standing of a comparison's subject."""
    row = ("subjects", index)
    subject = str(_value(path, result, *row, "subject"))
    failure = _value(path, result, *row, "failure")
    if failure is not None:
        return Standing(subject, failure=str(failure))
    timed = _value(path, result, *row, "times") is not None
    return Standing(
        subject=subject,
        footprint=_number(path, result, *row, "memory", "peak"),
        end=_number(path, result, *row, "memory", "end"),
        fragmentation=_number(path, result, *row, "memory", "fragmentation"),
        ns=_number(path, result, *row, "times", "ns_per_event") if timed else None,
    )


def _value(path: str, result: Any, *keys: str | int) -> Any:
    """What stands under the keys, one below the other."""
    found = result
    for key in keys:
        try:
            found = found[key]
        except (KeyError, IndexError, TypeError):
            place = ".".join(map(str, keys))
            raise InputError(f"{path}: a result has '{place}', this file does not") from None
    return found


def _number(path: str, result: Any, *keys: str | int) -> float:
    """The number under the keys."""
    found = _value(path, result, *keys)
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    if not is_number or not -LARGEST <= found <= LARGEST:  # nor is NaN
        place = ".".join(map(str, keys))
        raise InputError(f"{path}: '{place}' is {repr(found)[:80]}: expected a number")
    return float(found)


def _list(path: str, result: Any, key: str) -> list[Any]:
    """The list under a key."""
    found = _value(path, result, key)
    if not isinstance(found, list):
        raise InputError(f"{path}: '{key}' is {type(found).__name__}: expected a list")
    return found
