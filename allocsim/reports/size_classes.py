"""The table of size classes and their waste, for `allocsim sizeclass-check`."""

from __future__ import annotations

import json
from dataclasses import asdict
from statistics import fmean
from textwrap import fill

from allocsim.core.size_classes import ClassRow, SizeClasses
from allocsim.designs import Design
from allocsim.reports.screen import Screen, simple_table
from allocsim.text import counted

SCHEMA = "allocsim/size-classes/1"
"""Name and version of the JSON object. The version changes when a key is removed or gets another
meaning. docs/report-schemas.md describes the fields."""


def print_classes(design: str, classes: SizeClasses) -> None:
    """Print every class, then the mean and the worst waste."""
    rows = classes.rows()
    table = simple_table()
    for name in ("class", "bytes", "refill bytes", "objects", "tail waste", "worst waste"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            str(row.size_class),
            f"{row.object_size:,}",
            f"{row.chunk:,}",
            f"{row.objects:,}",
            f"{row.tail:,}",
            f"{row.worst_waste:.1%}",
        )
    worst = max(rows, key=lambda row: row.worst_waste)
    screen = Screen()
    screen.print_table(table)
    screen.print(
        f"{design}: {counted(len(rows), 'class')}; every size up to {rows[-1].object_size:,} bytes "
        "maps to the smallest class that fits.",
        f"Worst-case waste of a span: {_mean_worst(rows):.1%} on average over the classes, "
        f"{worst.worst_waste:.1%} at most (class of {worst.object_size:,} bytes).",
        f"Average rounding: {classes.mean_waste():.1%} of an object, over all sizes.",
    )


def classes_json(design: str, classes: SizeClasses) -> str:
    """Return the table as an indented JSON object."""
    table = {
        "schema": SCHEMA,
        "design": design,
        "mean_waste": classes.mean_waste(),
        "mean_worst_waste": _mean_worst(classes.rows()),
        "classes": [asdict(row) for row in classes.rows()],
    }
    return json.dumps(table, indent=2)


def no_classes_text(design: Design) -> str:
    """Return how a design without size classes rounds sizes, as wrapped text."""
    return fill(f"{design.name} has no size classes. {design.instead_of_classes}", 100)


def no_classes_json(design: Design) -> str:
    """Return the text of a design without size classes as an indented JSON object."""
    table = {
        "schema": SCHEMA,
        "design": design.name,
        "classes": [],
        "instead": design.instead_of_classes,
    }
    return json.dumps(table, indent=2)


def _mean_worst(rows: list[ClassRow]) -> float:
    """Return the mean of the classes' worst waste, as a share from 0 to 1."""
    return fmean(row.worst_waste for row in rows)
