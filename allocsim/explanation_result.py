"""The result of `allocsim.explain`.

`as_dict` returns what `allocsim explain --json` prints. `_repr_html_` returns HTML for a notebook.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from html import escape
from typing import Any

import numpy as np

from allocsim.errors import InputError
from allocsim.events import Trace
from allocsim.explanation.explanation import Explanation
from allocsim.explanation.owners import Owner
from allocsim.explanation.what_if import WhatIf
from allocsim.html_table import html_table
from allocsim.moments import Moment
from allocsim.reports.explanation_screen import ROWS, TITLES, when
from allocsim.reports.explanation_text import as_json
from allocsim.reports.phrases import percent
from allocsim.reports.pprof import pprof_profile
from allocsim.text import format_bytes, printable

TEXTS = ("by", "name")
"""The fields of `Owner` that are texts. The others are integers: `objects` is a count, the rest are
bytes."""


@dataclass(frozen=True, repr=False)
class ExplanationResult:
    """The owners of the footprint at a moment, and changes that would reduce it."""

    explanation: Explanation
    trace: Trace
    """The workload. Its events have been read, so its notes and dropped calls are complete."""
    call: str
    """The Python call that made the explanation."""

    @property
    def moment(self) -> Moment:
        """The moment that is explained, with footprint and live bytes."""
        return self.explanation.moment

    @property
    def parts(self) -> dict[str, int]:
        """The bytes of each part, such as "live" and "metadata". The parts sum to the footprint."""
        return self.explanation.parts

    @property
    def what_ifs(self) -> list[WhatIf]:
        """The experiments: each changes one thing and measures the footprint."""
        return self.explanation.what_ifs

    @property
    def sentences(self) -> list[str]:
        """The conclusions."""
        return self.explanation.sentences

    @property
    def table(self) -> np.ndarray:
        """A structured array with a row for each owner; in each grouping, the largest is first.

        The fields are those of `Owner`; `slabs` is -1 where `Owner.slabs` is None.
        """
        rows = [asdict(owner) for owner in self.explanation.owners]
        widths = {name: max((len(row[name]) for row in rows), default=1) for name in TEXTS}
        names = [field.name for field in fields(Owner)]
        kinds = [(name, f"U{widths[name]}" if name in widths else "i8") for name in names]
        values = [tuple(-1 if row[name] is None else row[name] for name in names) for row in rows]
        return np.array(values, dtype=kinds)

    def as_dict(self) -> dict[str, Any]:
        """Return a dict with the keys of `allocsim explain --json`.

        The value of `command` is the Python call.
        """
        return as_json(self.explanation, self.trace, self.call)

    def pprof(self) -> bytes:
        """Return the file that `allocsim explain --pprof` writes.

        Raises InputError if `explain` was called without `stacks`.
        """
        if self.explanation.stacks is None:
            raise InputError("a profile needs the stacks: call explain with stacks=True")
        return pprof_profile(self.explanation, self.trace.name)

    def __repr__(self) -> str:
        return f"<Explanation {self._title()}>"

    def _repr_html_(self) -> str:
        tables = [self._owners_html(by) for by in dict.fromkeys(self.table["by"].tolist())]
        lines = [f"<p>{escape(printable(line))}</p>" for line in self.sentences]
        return "".join([*tables, *lines])

    def _owners_html(self, by: str) -> str:
        """Return the largest owners of a grouping as an HTML table."""
        owners = [owner for owner in self.explanation.owners if owner.by == by][:ROWS]
        names = ("live", "rounding", "pinned", "owned")
        rows = [
            [
                owner.name,
                f"{owner.objects:,}",
                *(format_bytes(getattr(owner, name)) for name in names),
                percent(owner.owned, self.moment.footprint),
            ]
            for owner in owners
        ]
        titles = [f"owner, by {TITLES[by]}", "objects", *names, "share"]
        return html_table(self._title(), titles, rows)

    def _title(self) -> str:
        """Return the workload, the allocator, and the moment with its footprint and live bytes."""
        moment = self.moment
        return (
            f"{self.trace.name} on {self.explanation.subject}, at {when(moment)}: "
            f"footprint {format_bytes(moment.footprint)}, live {format_bytes(moment.live)}"
        )
