"""The heap map: the occupancy of the heap by address and time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from allocsim.explanation.cells import LEVELS, levels_of, occupancy_cells
from allocsim.explanation.snapshots import Snapshot
from allocsim.pictures.axes import events_axis
from allocsim.pictures.figure import Figure, View
from allocsim.pictures.legend import level_colours
from allocsim.pictures.palette import OCCUPANCY
from allocsim.pictures.units import Unit, unit_for
from allocsim.text import format_bytes

ROWS = 48
"""Maximum number of rows of addresses."""

HEIGHT = 300
"""Approximate height in pixels. A row is a whole number of pixels high, because otherwise there
would be gaps between rows."""


def heap_map(snapshots: Sequence[Snapshot]) -> Figure:
    """Return the figure of snapshots; at least one of them must have memory."""
    cells, height = occupancy_cells(snapshots, ROWS)
    levels = levels_of(cells)
    total = height * len(cells)
    unit = unit_for(total)
    data = [
        {
            "from": start,
            "to": end,
            "low": unit.of(row * height),
            "high": unit.of((row + 1) * height),
            "level": LEVELS[level],
        }
        for row in range(len(cells))
        for start, end, level in _runs(
            levels[row], [0, *(snapshot.event for snapshot in snapshots)]
        )
    ]
    return Figure(
        title="Heap map",
        summary=f"Each row shows {format_bytes(height)} of addresses that the heap used, the "
        "lowest at the bottom; unused addresses are left out. Each cell shows how much of "
        "its resident memory is live objects.",
        view=lambda width: (
            _view(width, data, unit, total) | {"height": len(cells) * max(HEIGHT // len(cells), 1)}
        ),
        titles=("addresses", *LEVELS, "live at the end"),
        rows=[_row(row, cells[row], levels[row], height) for row in reversed(range(len(cells)))],
    )


def _runs(levels: np.ndarray, events: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return (first event, last event, level) of each run of equal levels.

    Runs of level -1, which means no memory, are left out.
    """
    runs, at = [], 0
    for level, same in groupby(levels.tolist()):
        count = len([*same])
        if level >= 0:
            runs.append((events[at], events[at + count], level))
        at += count
    return runs


def _row(number: int, cells: np.ndarray, levels: np.ndarray, height: int) -> list[str]:
    """Return the table row of a range of addresses.

    Its cells are the addresses, the number of snapshots with each level, and the live bytes in the
    last snapshot.
    """
    counts = [f"{int((levels == level).sum())}" for level in range(len(LEVELS))]
    low, high = (format_bytes(edge * height) for edge in (number, number + 1))
    return [f"{low} to {high}", *counts, format_bytes(int(cells[-1, 1]))]


def _view(width: int, data: list[dict[str, Any]], unit: Unit, total: int) -> View:
    """Return the view."""
    x = events_axis("from", max(each["to"] for each in data), width)
    y = {
        "field": "low",
        "type": "quantitative",
        "title": f"{unit.name} of addresses",
        "scale": {"domain": [0, unit.of(total)], "nice": False},
        "axis": {"grid": False, "tickCount": 6},
    }
    return {
        "width": width,
        "data": {"values": data},
        "mark": {"type": "rect", "strokeWidth": 0},
        "encoding": {
            "x": x,
            "x2": {"field": "to"},
            "y": y,
            "y2": {"field": "high"},
            "color": level_colours(
                "level", LEVELS, [colour.light for colour in OCCUPANCY], width, 124
            ),
        },
    }
