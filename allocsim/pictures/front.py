"""The Pareto front: a picture of two figures of each subject.

A subject is an allocator with its settings. `sweep.pareto_front` says which subjects are on the
front. A line joins the points of the front from left to right. It skips a point that is as high as
one before it, or higher: such a point is on the front only because figures have tolerances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import Any, NamedTuple

from allocsim.pictures.axes import TICK
from allocsim.pictures.figure import Figure, View
from allocsim.pictures.palette import INK, LIVE, START
from allocsim.pictures.units import Unit
from allocsim.sweep.findings import CLOSE, Ranges
from allocsim.sweep.pareto_front import front
from allocsim.sweep.results import Figures
from allocsim.text import counted

HEIGHT = 300

CELLS = (90, 30)
"""Number of columns and of rows of a grid over the picture. In each cell, at most one of the
subjects that are not on the front is drawn, so that the picture stays small."""

MAX_NUMBERS = 12
"""Maximum number of points of the front that are labelled."""

MAX_RATIO = 20
"""Maximum ratio of two figures on an axis that is not logarithmic."""


class Axis(NamedTuple):
    """One of the two figures of each subject."""

    title: str
    figures: Figures
    unit: Unit
    text: Callable[[float], str]
    """Formats a figure for the table."""
    ranges: Ranges | None = None
    """The ranges of the figures of subjects with several runs. None if the figures are exact."""


class _Point(NamedTuple):
    """The two figures of a subject, in the units of the axes."""

    name: str
    across: float
    up: float


def front_figure(title: str, across: Axis, up: Axis) -> Figure:
    """Return the picture of the subjects that have both figures; there must be at least one."""
    best = front(up.figures, across.figures, across.ranges)
    others = [name for name in up.figures if name in across.figures and name not in {*best}]
    others.sort(key=lambda name: (up.figures[name], across.figures[name]))
    on_front, rest = (
        [_Point(n, across.unit.of(across.figures[n]), up.unit.of(up.figures[n])) for n in names]
        for names in (best, others)
    )
    numbers = [f"{number}" for number in range(1, len(best) + 1)] + [""] * len(others)
    return Figure(
        title=title,
        summary=_summary(len(best), len(others), across.ranges is not None),
        view=lambda width: _view(width, on_front, _thinned(rest), (across, up)),
        titles=("front", "allocator", up.title, across.title),
        rows=[
            [number, name, up.text(up.figures[name]), across.text(across.figures[name])]
            for number, name in zip(numbers, [*best, *others], strict=True)
        ],
        left=(0, 1),
    )


def _summary(best: int, others: int, ranged: bool) -> str:
    """Return an explanation of the points.

    `ranged` says whether the horizontal axis has ranges (see `Axis`).
    """
    runs = (
        " The middle half of a point's runs is the range of its time. If the ranges of two points "
        "overlap, neither point takes the other off the front. A point with a single run has no "
        "range, so it is not on the front."
    )
    return (
        "Each point is an allocator with its settings. Smaller is better in both directions. "
        "A point is not on the front if another point is as good in both figures (within "
        f"{CLOSE:.1%}) and better in one.{runs * ranged} "
        f"On the front, and drawn large: {best:,} of {counted(best + others, 'point')}. "
        "The table names the points of the front by number."
    )


def _lower(points: Sequence[_Point]) -> Iterator[_Point]:
    """Yield the points that are lower than all before them."""
    lowest = inf
    for point in points:
        if point.up < lowest:
            lowest = point.up
            yield point


def _thinned(points: Sequence[_Point]) -> list[_Point]:
    """Return one point for each cell of the grid that has points."""
    columns = _intervals([point.across for point in points], CELLS[0])
    rows = _intervals([point.up for point in points], CELLS[1])
    cells = zip(columns, rows, strict=True)
    return [*dict(zip(cells, points, strict=True)).values()]


def _intervals(values: Sequence[float], count: int) -> list[int]:
    """Divide the range of values into `count` intervals; return each value's interval number."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    step = (high - low) / count or 1.0
    return [int((value - low) / step) for value in values]


def _view(
    width: int, best: Sequence[_Point], others: Sequence[_Point], axes: tuple[Axis, Axis]
) -> View:
    """Return the view: the other points, the line of the front, its points and their numbers."""
    x, y = (_side(field, axis) for field, axis in zip(("across", "up"), axes, strict=True))
    x["axis"] = {"tickCount": max(width // TICK, 3)}
    count = len(best)
    shown = range(count) if count <= MAX_NUMBERS else (0, count - 1)
    numbers = [{**best[index]._asdict(), "number": f"{index + 1}"} for index in shown]
    line = {"type": "line", "interpolate": "step-after", "color": LIVE.light}
    label = {"type": "text", "color": INK.light, "fontWeight": "bold", "dy": -11, "dx": 6}
    layers = [
        _layer(others, {"type": "circle", "color": START.light, "size": 30, "opacity": 1}),
        _layer([*_lower(best)], line),
        _layer(best, {"type": "circle", "color": LIVE.light, "size": 70, "opacity": 1}),
        {
            "data": {"values": numbers},
            "mark": label,
            "encoding": {"text": {"field": "number"}},
        },
    ]
    for layer in layers:
        layer["encoding"] = {"x": x, "y": y, **layer.get("encoding", {})}
    return {"width": width, "height": HEIGHT, "layer": layers}


def _side(field: str, axis: Axis) -> dict[str, Any]:
    """Return the encoding of a figure.

    The axis need not begin at 0, and is logarithmic if the largest figure exceeds MAX_RATIO times
    the smallest.
    """
    values = axis.figures.values()
    is_wide = 0 < min(values) * MAX_RATIO < max(values)
    return {
        "field": field,
        "type": "quantitative",
        "title": f"{axis.title}, {axis.unit.name}",
        "scale": {"type": "log"} if is_wide else {"zero": False},
    }


def _layer(points: Sequence[_Point], mark: View) -> View:
    """Return a layer that draws points."""
    values = [{"across": point.across, "up": point.up} for point in points]
    return {"data": {"values": values}, "mark": mark}
