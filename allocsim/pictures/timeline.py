"""The timeline: the parts of the footprint over a replay, stacked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from allocsim.pictures.axes import events_axis
from allocsim.pictures.figure import Figure, View
from allocsim.pictures.legend import in_order, part_colours
from allocsim.pictures.palette import INK
from allocsim.pictures.units import Unit, unit_for
from allocsim.text import format_bytes

HEIGHT = 260
ROWS = 12
"""Maximum number of rows of the table."""


class Point(NamedTuple):
    """The parts of the footprint, in bytes, after a number of events."""

    event: int
    parts: Mapping[str, int]

    @property
    def footprint(self) -> int:
        """The sum of all parts."""
        return sum(self.parts.values())


def timeline(points: Sequence[Point], marked: tuple[str, int]) -> Figure:
    """Return the figure of `points`, which must not be empty.

    A line marks the moment `marked`, which is a name and a number of events.
    """
    positive_points = [Point(each.event, positive(each.parts)) for each in points]
    highest = max(each.footprint for each in positive_points)
    names = in_order(name for each in positive_points for name in each.parts)
    unit = unit_for(highest)
    data = [
        {"event": each.event, "part": name, "size": unit.of(each.parts.get(name, 0)), "rank": rank}
        for each in positive_points
        for rank, name in enumerate(names)
    ]
    return Figure(
        title="Footprint over the replay",
        summary=f"The parts of the footprint after each event. The highest point is "
        f"{format_bytes(highest)}. The line marks {marked[0]}.",
        view=lambda width: _view(width, data, names, unit, marked),
        titles=("event", *names, "footprint"),
        rows=[
            [
                f"{each.event:,}",
                *(format_bytes(each.parts.get(name, 0)) for name in names),
                format_bytes(each.footprint),
            ]
            for each in _some(positive_points)
        ],
        left=(),
    )


def positive(parts: Mapping[str, int]) -> dict[str, int]:
    """Return the parts. "untouched", which is negative, is added to "live"."""
    untouched = parts.get("untouched", 0)
    return {
        name: size + (untouched if name == "live" else 0)
        for name, size in parts.items()
        if name != "untouched"
    }


def _some(points: Sequence[Point]) -> list[Point]:
    """Return at most ROWS points, evenly spaced, the last included."""
    count = min(ROWS, len(points))
    return [points[(number + 1) * len(points) // count - 1] for number in range(count)]


def _view(
    width: int, data: list[dict[str, Any]], names: list[str], unit: Unit, marked: tuple[str, int]
) -> View:
    """Return the view."""
    name, event = marked
    end = max(each["event"] for each in data)
    x = events_axis("event", end, width)
    area = {
        "data": {"values": data},
        "mark": {"type": "area", "line": False, "interpolate": "linear"},
        "encoding": {
            "x": x,
            "y": {
                "field": "size",
                "type": "quantitative",
                "stack": "zero",
                "title": unit.name,
                "axis": {"tickCount": 6},
            },
            "color": part_colours(names, width),
            "order": {"field": "rank", "type": "quantitative"},
        },
    }
    late = 2 * event > end
    line = {
        "data": {"values": [{"event": event}]},
        "encoding": {"x": x},
        "layer": [
            {"mark": {"type": "rule", "color": INK.light, "strokeDash": [4, 3]}},
            {
                "mark": {
                    "type": "text",
                    "text": name,
                    "y": -7,
                    "align": "right" if late else "left",
                    "fontWeight": "bold",
                }
            },
        ],
    }
    return {"width": width, "height": HEIGHT, "layer": [area, line]}
