"""The result of `allocsim.tune`.

`as_dict` returns what the command prints with --json, and `_repr_html_` the text for a notebook.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from allocsim.html_table import html_table
from allocsim.markup import element, joined
from allocsim.reports.tuning_screen import CLASSES, FIGURES, class_rows, figure_rows, headline
from allocsim.reports.tuning_text import as_json, source_text
from allocsim.tuning.tuning import Row, Tuning
from allocsim.tuning.verdict import objections, remarks


@dataclass(frozen=True, repr=False)
class TuningResult:
    """A table of size classes for some workloads, compared with the design's own table."""

    tuning: Tuning
    call: str
    """The Python call that found the table."""

    @property
    def rows(self) -> list[Row]:
        """The results for the workloads of the tuning, then for those held back from it.

        If the tuning used several workloads and none was held back, further rows follow: each
        workload, replayed under a table that was tuned for the others.
        """
        return [*self.tuning.rows, *self.tuning.held_back, *self.tuning.left_out]

    @property
    def table(self) -> np.ndarray:
        """A structured array with a row for each size class.

        `size` is in bytes. `pages` is the length of a span in the design's pages, `objects` the
        number of objects in a span, and `batch` the number of objects that are moved at once.
        `weight` is a number of live objects, halfway between the number at the peak and the average
        (see `tuning.workload`).
        """
        classes = self.as_dict()["classes"]
        names = ("size", "pages", "objects", "batch")
        values = [
            (*(each[name] for name in names), weight)
            for each, weight in zip(classes, self.tuning.weights, strict=True)
        ]
        return np.array(values, dtype=[*((name, "i8") for name in names), ("weight", "f8")])

    @property
    def size_classes(self) -> str:
        """The table as a value of the parameter `size_classes` of the design."""
        return ",".join(map(str, self.tuning.table))

    @property
    def source(self) -> str:
        """The table as source text for the allocator that the design models."""
        return source_text(self.tuning)

    @property
    def objections(self) -> list[str]:
        """The reasons not to use the table, in sentences. Empty if the table is recommended."""
        return objections(self.tuning)

    def as_dict(self) -> dict[str, Any]:
        """Return a dict with the keys of `allocsim tune --json`; "command" is a Python call."""
        return as_json(self.tuning, self.call)

    def __repr__(self) -> str:
        return f"<Tuning {headline(self.tuning)}>"

    def _repr_html_(self) -> str:
        figures = html_table(
            headline(self.tuning), ("workload", *FIGURES), figure_rows(self.tuning)
        )
        last = len(CLASSES) - 1
        classes = html_table("size classes", CLASSES, class_rows(self.tuning), left=(last,))
        sentences = [element("p", each) for each in (*remarks(self.tuning), *self.objections)]
        return joined(figures, classes, *sentences)
