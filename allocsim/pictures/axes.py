"""Axes that several kinds of pictures share, as encodings of Vega-Lite."""

from __future__ import annotations

from typing import Any

from allocsim.pictures.units import Unit

TICK = 90
"""Approximate pixels between two labels of a horizontal axis."""


def events_axis(field: str, last: int, width: int) -> dict[str, Any]:
    """Return the encoding of a number of events, from 0 to `last`, as the horizontal axis."""
    return {
        "field": field,
        "type": "quantitative",
        "title": "events replayed",
        "scale": {"domain": [0, last], "nice": False},
        "axis": {
            "grid": False,
            "format": "~s",
            "labelExpr": "datum.value == 0 ? '0' : datum.label",
            "tickCount": max(width // TICK, 3),
        },
    }


def bytes_axis(field: str, unit: Unit, width: int, **changed: Any) -> dict[str, Any]:
    """Return the encoding of bytes as the horizontal axis; `changed` overrides properties."""
    return {
        "field": field,
        "type": "quantitative",
        "title": unit.name,
        "axis": {"tickCount": max(width // TICK, 3)},
        **changed,
    }


def rows_axis(count: int, padding: float = 0.0) -> dict[str, Any]:
    """Return the vertical encoding of the field `row`: 0 is at the top, and no axis is drawn."""
    return {
        "field": "row",
        "type": "ordinal",
        "axis": None,
        "scale": {"domain": [*range(count)], "paddingInner": 0, "paddingOuter": padding},
    }
