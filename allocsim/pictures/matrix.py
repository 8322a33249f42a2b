"""A matrix of cells in named rows and columns. A cell has a text, and its colour shows a level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from allocsim.pictures.figure import View
from allocsim.pictures.legend import level_colours
from allocsim.pictures.palette import INK, LEVELS, PAPER
from allocsim.pictures.text_width import width_of

STEP = 34
"""Height of a row in pixels."""

LEVEL_WIDTH = 100
"""Width of a level in the legend, in pixels."""


class Cell(NamedTuple):
    """A cell of a matrix. Some places of the matrix may have no cell."""

    column: str
    row: str
    level: int
    """Index of the cell's colour in LEVELS."""
    text: str
    """Shown if the texts of all cells fit."""


class Side(NamedTuple):
    """The names along a side of a matrix, in their order."""

    title: str | None
    names: Sequence[str]


def matrix(
    width: int, cells: Sequence[Cell], columns: Side, rows: Side, levels: Sequence[str]
) -> View:
    """Return the view of `cells`, which must not be empty; `levels` are the names in the legend."""
    has_room = width / len(columns.names) > max(width_of(cell.text) for cell in cells)
    angle = {"labelAngle": 0 if has_room else -60}
    sides = {"x": {**_side("column", columns), "axis": angle}, "y": _side("row", rows)}
    colours = [colour.light for colour in LEVELS]
    level = level_colours("level", levels, colours, width, LEVEL_WIDTH)
    boxes = {
        "mark": {"type": "rect", "stroke": PAPER.light, "strokeWidth": 2},
        "encoding": {**sides, "color": level},
    }
    is_dark = " || ".join(f"datum.index == {index}" for index in _dark_levels())
    ink = {"condition": {"test": is_dark, "value": PAPER.light}, "value": INK.light}
    texts = {
        "mark": {"type": "text"},
        "encoding": {**sides, "text": {"field": "text"}, "color": ink},
    }
    values = [
        {**cell._asdict(), "level": levels[cell.level], "index": cell.level} for cell in cells
    ]
    return {
        "width": width,
        "height": STEP * len(rows.names),
        "data": {"values": values},
        "layer": [boxes, texts] if has_room else [boxes],
    }


def _side(field: str, side: Side) -> View:
    """Return the encoding of the names along a side."""
    return {
        "field": field,
        "type": "ordinal",
        "sort": [*side.names],
        "scale": {"domain": [*side.names]},
        "title": side.title,
    }


def _dark_levels() -> range:
    """Return the levels on which text must be light."""
    return range(len(LEVELS) - 2, len(LEVELS))
