"""The table of size classes, with what it wastes: for sizeclass-check.

Beside the other reports. Its one rule: it shows a table that was already proved sound.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from statistics import fmean

from rich import box
from rich.table import Table

from allocsim.core.size_classes import ClassRow, SizeClasses
from allocsim.reports.run_screen import screen


def print_classes(design: str, classes: SizeClasses) -> None:
    """Print every class, then the mean and the worst."""
    rows = classes.rows()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("class", "bytes", "refill bytes", "objects", "tail waste", "worst waste"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            str(row.size_class),
            f"{row.object_size:,}",
            f"{row.chunk:,}",
            f"{row.objects:,}",
            f"{row.tail:,}",
            f"{100 * row.worst_waste:.2f} %",
        )
    console = screen()
    console.print(table)
    worst = max(rows, key=lambda row: row.worst_waste)
    console.print(
        f"{design}: {len(rows)} classes, every size from 0 to beyond {rows[-1].object_size:,} "
        "bytes maps to the smallest class that holds it."
    )
    console.print(
        f"Worst waste of a span: {100 * _mean_worst(rows):.2f} % in the mean of the classes, at "
        f"most {100 * worst.worst_waste:.1f} %, in the class of {worst.object_size:,} bytes."
    )
    console.print(
        f"Rounding up wastes {100 * classes.mean_waste():.2f} % of an object, over all sizes alike."
    )


def print_classes_as_json(design: str, classes: SizeClasses) -> None:
    """Print the same as one JSON object."""
    table = {
        "schema": "allocsim/size-classes/1",
        "design": design,
        "mean_waste": classes.mean_waste(),
        "mean_worst_waste": _mean_worst(classes.rows()),
        "classes": [asdict(row) for row in classes.rows()],
    }
    print(json.dumps(table, indent=2))  # noqa: T201 - the result itself


def _mean_worst(rows: list[ClassRow]) -> float:
    """The mean of the classes' worst waste, 0 to 1."""
    return fmean(row.worst_waste for row in rows)
