"""Vega-Lite colour encodings with legends, for example for the parts of the heap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from allocsim.pictures.palette import PARTS, colour_of


def in_order(names: Iterable[str]) -> list[str]:
    """Return the distinct parts, in the order in which `palette` lists them."""
    present = {*names}
    return [*(name for name in PARTS if name in present), *sorted(present - {*PARTS})]


LABEL = 104
"""Width of an entry of the legend, in pixels."""


def part_colours(names: Sequence[str], width: int) -> dict[str, Any]:
    """Return the colour encoding of the field `part`, with the colours of `palette`."""
    return level_colours("part", names, [colour_of(name).light for name in names], width)


def level_colours(
    field: str, names: Sequence[str], colours: Sequence[str], width: int, entry: int = LABEL
) -> dict[str, Any]:
    """Return the colour encoding of `field`: its values are `names`, their colours are `colours`.

    `width` and `entry` are the widths of the picture and of an entry of the legend, in pixels.
    There is no legend for a single value, because the title of the picture names it.
    """
    legend = {
        "orient": "top",
        "direction": "horizontal",
        "title": None,
        "columns": max(width // entry, 1),
        "columnPadding": 16,
        "rowPadding": 6,
        "offset": 22,
        "symbolType": "square",
        "symbolSize": 140,
    }
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": [*names], "range": [*colours]},
        "legend": legend if len(names) > 1 else None,
    }
