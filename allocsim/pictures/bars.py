"""Horizontal bars. Each has a name above it, and shows a size that is divided into parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from allocsim.pictures.axes import bytes_axis, rows_axis
from allocsim.pictures.figure import View
from allocsim.pictures.legend import in_order, part_colours
from allocsim.pictures.palette import INK, QUIET
from allocsim.pictures.text_width import cut_middle, width_of
from allocsim.pictures.units import Unit, unit_for

STEP = 44
"""Height of a row in pixels: the name, the bar, and space."""

LINE = 17
"""Height of an additional line of text in pixels."""

GAP = 12
"""Minimum pixels between the name of a row, at the left, and its note, at the right."""


class Bar(NamedTuple):
    """A row. The sizes of the parts are in bytes or in the unit of the axis, and at least 0."""

    name: str
    note: str
    parts: Mapping[str, float]


def bars(
    rows: Sequence[Bar], width: int, reference: float | None = None, unit: Unit | None = None
) -> View:
    """Return the view of `rows`, which must not be empty.

    A line across each bar marks the size `reference`. Without a unit, sizes are in bytes.
    """
    largest = max([sum(row.parts.values()) for row in rows] + [reference or 0])
    unit = unit or unit_for(int(largest))
    # If the name and the note of any row do not fit on one line, all rows have two lines of text.
    has_lines = any(width_of(row.name + row.note) + GAP > width for row in rows)
    extra = LINE if has_lines else 0
    offset = 6 + extra // 2  # pixels from the middle of a row to its bar
    note = offset - GAP
    y = rows_axis(len(rows), 0.1)
    labels = [
        {"row": number, "name": cut_middle(row.name, width), "note": row.note}
        for number, row in enumerate(rows)
    ]
    left = {"align": "left", "x": 0, "dy": note - extra, "color": INK.light}
    right = {"align": "right", "x": width, "dy": note, "color": QUIET.light}
    layers = [
        _parts(rows, width, unit, y, offset),
        _labels(labels, "name", left, y),
        _labels(labels, "note", right, y),
    ]
    if reference is not None:
        marks = [{"size": unit.of(reference), **each} for each in labels]
        layers.append(_marks(marks, y, offset))
    return {"width": width, "height": (STEP + extra) * len(rows), "layer": layers}


def _parts(rows: Sequence[Bar], width: int, unit: Unit, y: View, offset: int) -> View:
    """Return the layer of the bars: the parts of each row side by side."""
    names = in_order(name for row in rows for name, size in row.parts.items() if size)
    pieces = [
        {"row": number, "part": name, "size": unit.of(size), "rank": names.index(name)}
        for number, row in enumerate(rows)
        for name, size in row.parts.items()
        if size
    ]
    return {
        "data": {"values": pieces},
        "mark": {"type": "bar", "height": 14, "yOffset": offset},
        "encoding": {
            "x": bytes_axis("size", unit, width, stack="zero"),
            "y": y,
            "color": part_colours(names, width),
            "order": {"field": "rank", "type": "quantitative"},
        },
    }


def _labels(labels: Sequence[View], field: str, shape: View, y: View) -> View:
    """Return a layer that writes a text in each row: the name or the note."""
    return {
        "data": {"values": labels},
        "mark": {"type": "text", "baseline": "bottom", **shape},
        "encoding": {"y": y, "text": {"field": field}},
    }


def _marks(marks: Sequence[View], y: View, offset: int) -> View:
    """Return the layer of the lines that mark the reference size."""
    shape = {"color": INK.light, "height": 22, "thickness": 2, "yOffset": offset}
    return {
        "data": {"values": marks},
        "mark": {"type": "tick", **shape},
        "encoding": {"x": {"field": "size", "type": "quantitative"}, "y": y},
    }
