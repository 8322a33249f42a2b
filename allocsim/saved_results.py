"""Saved results: the figures that `check` and `compare A B` read from --export-json files.

Reads the JSON of a run and of a comparison. A file that is neither, or lacks a figure, raises an
InputError; for a missing figure, the error names its key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from allocsim.errors import InputError

PROFILE = "allocsim/profile/"
"""The schema of a run's result, without its version."""

COMPARISON = "allocsim/comparison/"
"""The schema of a comparison, without its version."""

MAX_LENGTH = 1 << 24
"""Maximum bytes of a file. A comparison has a few KiB; parsed JSON takes about twenty times as much
memory as its text."""

MAX_FIGURE = 1e30
"""Maximum magnitude of a figure."""


@dataclass(frozen=True)
class SubjectFigures:
    """One subject's figures, as far as `check` and `compare A B` use them."""

    subject: str
    footprint: float | None = None
    """Peak footprint in bytes."""
    end: float | None = None
    """Footprint at the end in bytes."""
    fragmentation: float | None = None
    """1 - live / footprint, at the peak of the footprint."""
    ns: float | None = None
    """Nanoseconds per event; None if it was not timed."""
    failure: str | None = None
    """The reason why there are no figures."""


class SavedResult(NamedTuple):
    """The subjects of a result and its workload."""

    subjects: list[SubjectFigures]
    workload: str | None
    """The name of the workload, or None if the file does not give it."""


def read_saved(path: str) -> SavedResult:
    """Read a saved result; InputError if the file is not one.

    The file is read once, since it may be a pipe.
    """
    try:
        with Path(path).open("rb") as file:
            text = file.read(MAX_LENGTH + 1)
        if len(text) > MAX_LENGTH:
            raise InputError(f"{path}: too long for a saved result; expected at most 16 MiB")
        result = json.loads(text.decode())
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}") from error
    return SavedResult(_subjects(path, result), _workload(result))


def _subjects(path: str, result: Any) -> list[SubjectFigures]:
    """Return the subjects of a parsed file."""
    schema = result.get("schema") if isinstance(result, dict) else None
    if isinstance(schema, str) and schema.startswith(PROFILE):
        return [_from_profile(path, result)]
    if isinstance(schema, str) and schema.startswith(COMPARISON):
        count = len(_list(path, result, "subjects"))
        return [_from_comparison(path, result, index) for index in range(count)]
    found = "no schema" if schema is None else f"schema {schema!r}"
    raise InputError(
        f"{path}: not a saved result: found {found}, expected {PROFILE}* or {COMPARISON}*; "
        "write one with --export-json"
    )


def _workload(result: dict[str, Any]) -> str | None:
    """Return the name of the workload, or None if the result has none."""
    workload = result.get("workload")
    name = workload.get("name") if isinstance(workload, dict) else None
    return name if isinstance(name, str) else None


def _from_profile(path: str, result: dict[str, Any]) -> SubjectFigures:
    """Return the figures of a run, whose only subject is the design that was run."""
    return SubjectFigures(
        subject=str(_value(path, result, "design")),
        footprint=_number(path, result, "at_peak", "footprint"),
        end=_number(path, result, "at_end", "footprint"),
        fragmentation=_number(path, result, "at_peak", "fragmentation"),
        ns=_number(path, result, "time", "ns_per_event"),
    )


def _from_comparison(path: str, result: dict[str, Any], index: int) -> SubjectFigures:
    """Return the figures of one subject of a comparison."""
    row = ("subjects", index)
    subject = str(_value(path, result, *row, "subject"))
    failure = _value(path, result, *row, "failure")
    if failure is not None:
        return SubjectFigures(subject, failure=str(failure))
    is_timed = _value(path, result, *row, "times") is not None
    return SubjectFigures(
        subject=subject,
        footprint=_number(path, result, *row, "memory", "peak"),
        end=_number(path, result, *row, "memory", "end"),
        fragmentation=_number(path, result, *row, "memory", "fragmentation"),
        ns=_number(path, result, *row, "times", "ns_per_event") if is_timed else None,
    )


def _value(path: str, result: Any, *keys: str | int) -> Any:
    """Return the value at nested keys; if one is missing, raise an InputError naming them all."""
    value = result
    for key in keys:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            name = ".".join(map(str, keys))
            raise InputError(f"{path}: not a saved result: '{name}' is missing") from None
    return value


def _number(path: str, result: Any, *keys: str | int) -> float:
    """Return the number at nested keys."""
    value = _value(path, result, *keys)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not -MAX_FIGURE <= value <= MAX_FIGURE:  # false for NaN
        name = ".".join(map(str, keys))
        raise InputError(f"{path}: '{name}' is {repr(value)[:80]}; expected a number")
    return float(value)


def _list(path: str, result: Any, key: str) -> list[Any]:
    """Return the list at a key."""
    value = _value(path, result, key)
    if not isinstance(value, list):
        raise InputError(f"{path}: '{key}' is {type(value).__name__}; expected a list")
    return value
