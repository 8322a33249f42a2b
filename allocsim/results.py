"""Results of the Python functions: a profile of a replay, and a comparison.

`as_dict` returns what the command prints with --json. `_repr_html_` returns HTML for a notebook.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from allocsim.benchmark.figures import Row
from allocsim.events import Trace
from allocsim.html_table import html_table
from allocsim.profile import Profile
from allocsim.reports import Result
from allocsim.reports.comparison import (
    ALL_COLUMNS,
    FOOTPRINT,
    TIME,
    Compared,
    cells,
    label,
    titles,
)
from allocsim.reports.comparison_text import comparison_json
from allocsim.reports.run_text import as_json
from allocsim.text import counted


@dataclass(frozen=True, repr=False, kw_only=True)
class ReplayProfile(Profile):
    """A profile, with the design and the replayed workload."""

    trace: Trace
    """The workload. Its events have been read, so its notes and dropped calls are complete."""
    design: str
    parameters: Mapping[str, int | str]
    """All parameters of the design."""
    call: str
    """The Python call that made the replay."""

    @classmethod
    def of(
        cls,
        profile: Profile,
        trace: Trace,
        design: str,
        parameters: Mapping[str, int | str],
        call: str,
    ) -> ReplayProfile:
        """Return `profile` together with the replay that measured it."""
        measured = {field.name: getattr(profile, field.name) for field in fields(Profile)}
        return cls(**measured, trace=trace, design=design, parameters=parameters, call=call)

    @property
    def title(self) -> str:
        """The result in one line."""
        return f"{self.trace.name} on {self.design}: {super().title}"

    def as_dict(self) -> dict[str, Any]:
        """Return a dict with the keys of `allocsim replay --json`.

        The value of "command" is a Python call instead of a shell command.
        """
        return as_json(Result(self.trace, self, self.design, self.parameters, self.call))

    def __repr__(self) -> str:
        return f"<Profile {self.title}>"


@dataclass(frozen=True, repr=False)
class ComparisonResult:
    """Designs and libraries measured on one workload."""

    compared: Compared
    """The measurements, and how to show them."""

    @property
    def rows(self) -> list[Row]:
        """The sorted rows: the figures of each allocator, or the reason why it failed."""
        return self.compared.rows()

    @property
    def table(self) -> np.ndarray:
        """A structured array with a row per allocator and a field per column. NaN means unknown."""
        width = max(len(row.subject) for row in self.rows)
        kinds = [("subject", f"U{width}"), *((column.key, "f8") for column in ALL_COLUMNS)]
        values = [
            (row.subject, *(_number(column.of(row)) for column in ALL_COLUMNS)) for row in self.rows
        ]
        return np.array(values, dtype=kinds)

    def as_dict(self) -> dict[str, Any]:
        """Return a dict with the keys of `allocsim compare --json`.

        The value of "command" is a Python call instead of a shell command.
        """
        result: dict[str, Any] = json.loads(comparison_json(self.compared))
        return result

    def __repr__(self) -> str:
        summaries = ", ".join(f"{label(row)} {_summary(row)}" for row in self.rows)
        return f"<Comparison {self.compared.comparison.workload.trace.name}: {summaries}>"

    def _repr_html_(self) -> str:
        workload, figures = self.compared.comparison.workload, cells(self.compared)
        rows = []
        for row in self.rows:
            texts = ["*" * cell.is_best + cell.text for cell in figures.get(row.subject, [])]
            rows.append([label(row), *(texts or ["-"] * len(titles())), row.failure or ""])
        caption = f"{workload.trace.name}: {counted(workload.events, 'event')}; * best in column"
        return html_table(caption, ["allocator", *titles(), ""], rows, left=(0, len(titles()) + 1))


def _summary(row: Row) -> str:
    """Return the peak and the time of a row, or that it failed."""
    peak, time = FOOTPRINT.of(row), TIME.of(row)
    if peak is None:
        return "failed"
    return FOOTPRINT.format(peak) + ("" if time is None else f" {TIME.format(time)} ns/event")


def _number(value: float | None) -> float:
    """Return a figure, or NaN for None."""
    return float("nan") if value is None else float(value)
