"""Saved results: the figures that `check` and `compare A B` read from --export-json files.

A file contains the JSON of a replay or of a comparison. Its subjects are the designs and libraries
that were measured. InputError is raised if the file contains anything else, has no subject, or
lacks a figure that can be checked; the message names the key of the figure.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from allocsim.errors import InputError
from allocsim.json_fields import MAX_FIGURE, Field, read_json
from allocsim.text import shortened


@dataclass(frozen=True)
class SubjectFigures:
    """The figures of a subject that `check` and `compare A B` use."""

    subject: str
    footprint: float | None = None
    """Peak footprint in bytes."""
    end: float | None = None
    """Footprint at the end in bytes."""
    fragmentation: float | None = None
    """1 - live / footprint, at the peak of the footprint."""
    ns: float | None = None
    """Nanoseconds per event. None if the subject was not timed."""
    failure: str | None = None
    """The reason why there are no figures."""
    runs: tuple[float, ...] = ()
    """Nanoseconds per event of each timed run; empty for a replay, which is timed once."""
    version: str | None = None
    """The version of a library."""


@dataclass(frozen=True)
class Origin:
    """The origin of a result, as far as its file states it.

    The names of the fields are keys of `check --json`.
    """

    file: str | None = None
    """The file of a saved result. None if the result was measured just now."""
    date: str | None = None
    """When the file was written: local time, ISO 8601."""
    version: str | None = None
    """The version of allocsim."""
    workload: str | None = None
    events: int | None = None
    seed: int | None = None
    threads: str | None = None
    """The value of --threads, `recorded` or `one`; None for the result of a replay."""
    touch: str | None = None
    runs: int | None = None
    """Number of timed runs of each subject."""
    clock: str | None = None
    """`cpu` or `wall`: the clock of the times."""


class SavedResult(NamedTuple):
    """The subjects of a result, and how it was made."""

    subjects: list[SubjectFigures]
    origin: Origin


def read_saved(path: str) -> SavedResult:
    """Read a saved result; raise InputError if the file is not a saved result."""
    result = read_json(path)
    return SavedResult(_subjects(result), _origin(result))


def _subjects(result: Field) -> list[SubjectFigures]:
    """Return the subjects of a parsed file; there is at least one."""
    schema = result.get("schema")
    name = None if schema is None else schema.value
    if not isinstance(name, str) or name not in _SCHEMAS:
        schema_text = "no schema" if name is None else shortened(f"schema {name!r}")
        raise InputError(
            f"{result.path}: not a saved result: found {schema_text}, expected one of "
            f"{', '.join(_SCHEMAS)}; write one with --export-json"
        )
    if name.startswith("allocsim/profile/"):
        return [_from_profile(result)]
    return _from_comparison(result)


_CPU_TIMES = ("allocsim/comparison/3",)
"""The schemas whose times are CPU time. In the others, times are wall-clock time."""

_SCHEMAS = (
    *("allocsim/profile/1", "allocsim/comparison/1", "allocsim/comparison/2"),
    *_CPU_TIMES,
)
"""The schemas that can be read, including old ones (docs/comparison-schema.md). `overhead`, whose
meaning differs between schemas, is not read here."""


def _from_profile(result: Field) -> SubjectFigures:
    """Return the figures of a replay. Its only subject is the design."""
    return SubjectFigures(
        subject=result["design"].text(),
        footprint=result["at_peak"]["footprint"].number(),
        end=result["at_end"]["footprint"].number(),
        fragmentation=_fragmentation(result["at_peak"]),
        ns=result["time"]["ns_per_event"].number(),
    )


def _from_comparison(result: Field) -> list[SubjectFigures]:
    """Return the figures of each subject of a comparison."""
    subjects = [_subject(row) for row in result["subjects"].items()]
    names = [figures.subject for figures in subjects]
    if not names:
        raise InputError(f"{result.path}: not a saved result: it has no subjects")
    for name, count in Counter(names).items():
        if count > 1:
            raise InputError(
                f"{result.path}: not a saved result: it has the subject '{name}' twice"
            )
    return subjects


def _subject(row: Field) -> SubjectFigures:
    """Return the figures of one subject of a comparison."""
    subject, version = row["subject"].text(), row.get("version")
    if row["failure"].value is not None:
        return SubjectFigures(subject, failure=row["failure"].text())
    times, memory = row["times"], row["memory"]
    timed = times.value is not None
    runs = times.get("runs") if timed else None
    return SubjectFigures(
        subject=subject,
        footprint=memory["peak"].number(),
        # The footprint of a library is the growth of the RSS, which may be negative at the end.
        end=memory["end"].number(low=-MAX_FIGURE),
        fragmentation=_fragmentation(memory),
        ns=times["ns_per_event"].number() if timed else None,
        runs=tuple(run.number() for run in runs.items()) if runs else (),
        version=version.text() if version else None,
    )


def _fragmentation(memory: Field) -> float:
    """Return the fragmentation, which is negative if untouched objects make live > footprint."""
    return memory["fragmentation"].number(low=-MAX_FIGURE, high=1.0)


def _origin(result: Field) -> Origin:
    """Return how a result was made."""
    workload = result.get("workload")
    return Origin(
        file=result.path,
        date=_date(result.path),
        version=_optional_text(result, "version"),
        workload=_optional_text(workload, "name") if workload else None,
        events=_optional_count(result, "events"),
        seed=_optional_count(result, "seed"),
        threads=_optional_text(result, "threads"),
        touch=_optional_text(result, "touch"),
        runs=_optional_count(result, "runs"),
        clock="cpu" if result["schema"].text() in _CPU_TIMES else "wall",
    )


def _date(path: str) -> str | None:
    """Return when a file was written, or None if it is a pipe or no longer exists."""
    if not Path(path).is_file():
        return None
    return datetime.fromtimestamp(Path(path).stat().st_mtime).isoformat(" ", "minutes")


def _optional_text(result: Field, key: str) -> str | None:
    """Return a text, or None if the file does not give it."""
    field = result.get(key)
    return field.text() if field else None


def _optional_count(result: Field, key: str) -> int | None:
    """Return a whole number, or None if the file does not give it."""
    field = result.get(key)
    return int(field.number()) if field else None
