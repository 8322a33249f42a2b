"""Drawing of Vega-Lite views as SVG and PNG by vl-convert, which is an optional package.

Each view contains its data. Therefore no data leaves the process, and none is read from elsewhere.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from allocsim.errors import EnvironmentLacks
from allocsim.pictures.figure import View
from allocsim.pictures.palette import GRID, INK, PAPER, QUIET
from allocsim.text import printable

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
"""This address names the version of Vega-Lite's specification. Nothing is read from it."""

VERSION = "5.21"
"""The version of Vega-Lite that vl-convert uses."""

FONT = "Liberation Sans, Arimo, Arial, Helvetica, sans-serif"
"""vl-convert includes the first font and measures text with it. The other fonts have the same
widths."""

SCALE = 2.0
"""Pixels of a PNG for each pixel of the picture."""

CONFIG = {
    "font": FONT,
    "background": PAPER.light,
    "view": {"stroke": None},
    "axis": {
        "labelColor": QUIET.light,
        "titleColor": QUIET.light,
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "gridColor": GRID.light,
        "domainColor": QUIET.light,
        "tickColor": QUIET.light,
    },
    "legend": {"labelColor": INK.light, "labelFontSize": 12, "symbolStrokeWidth": 0},
    "title": {"color": INK.light, "fontSize": 14, "anchor": "start"},
    "text": {"color": INK.light, "fontSize": 12},
    "concat": {"spacing": 36},
}


def has_renderer() -> bool:
    """Return whether vl-convert is installed."""
    return find_spec("vl_convert") is not None


def require_renderer() -> None:
    """Raise EnvironmentLacks, with the remedy, if vl-convert is not installed."""
    if not has_renderer():
        raise EnvironmentLacks(
            "pictures need the package vl-convert-python; install it with: "
            "pip install 'allocsim[pictures]'"
        )


def svg_of(view: View) -> str:
    """Return the picture of a view as SVG, in the light scheme."""
    import vl_convert  # imported here, because it is optional

    return str(vl_convert.vegalite_to_svg(_specification(view), vl_version=VERSION))


def png_of(view: View) -> bytes:
    """Return the picture of a view as PNG, in the light scheme."""
    import vl_convert

    drawn = vl_convert.vegalite_to_png(_specification(view), vl_version=VERSION, scale=SCALE)
    return bytes(drawn)


def _specification(view: View) -> dict[str, Any]:
    """Return a complete specification, whose texts are printable."""
    cleaned: dict[str, Any] = _clean({"$schema": SCHEMA, "config": CONFIG, "padding": 6, **view})
    return cleaned


def _clean(value: Any) -> Any:
    """Return a value of a specification with the control characters of its texts escaped.

    vl-convert 1.9 ends the process if a text has a character that XML does not allow.
    """
    if isinstance(value, dict):
        return {key: _clean(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value]
    return printable(value) if isinstance(value, str) else value
