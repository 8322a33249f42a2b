"""Colours of the pictures, each in a light and in a dark scheme.

Pictures divide a footprint into parts, such as live objects and metadata (see PARTS). The colours
of the parts follow Okabe and Ito, Color Universal Design (2008): people with any colour vision can
tell them apart. Pictures are drawn in the light scheme. On a page, a style sheet replaces each
light colour by its dark one if the reader prefers a dark scheme.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Colour(NamedTuple):
    """A colour in both schemes, as "#rrggbb". No two colours are equal in the light scheme."""

    light: str
    dark: str


INK = Colour("#1b2330", "#e8ebf0")
"""Main text and lines."""

QUIET = Colour("#566173", "#a7b0bf")
"""Text of axes."""

GRID = Colour("#dfe3ea", "#343c4a")
"""Lines of a grid, and frames."""

PAPER = Colour("#ffffff", "#151a22")
"""The background."""

INK_ON_PART = Colour("#000000", "#0c0f14")
"""Text on the colour of a part."""

LIVE = Colour("#2f86c5", "#4d9fe0")
ROUNDING = Colour("#f0c419", "#f2d14e")
PINNED = Colour("#e0661a", "#f5843c")
EMPTY = Colour("#1fa67e", "#35c297")
CACHES = Colour("#8ecbed", "#a9dcf7")
START = Colour("#9aa3b1", "#7e8899")
METADATA = Colour("#c678b0", "#d690c3")
TAIL = Colour("#b08a52", "#c9a36a")
TOP = Colour("#7bc8a4", "#2a9474")
RELEASED = Colour("#c9ced8", "#4a5364")
OTHER = Colour("#8d7fd0", "#a99df0")

FOOTPRINT = Colour("#5d6f8c", "#8ea0bd")
"""A footprint that is not divided into parts."""

PARTS = {
    "footprint": FOOTPRINT,
    "time": FOOTPRINT,
    "live": LIVE,
    "not live": START,
    "rounding": ROUNDING,
    "tail": TAIL,
    "pinned": PINNED,
    "thread_cache": CACHES,
    "caches": CACHES,
    "transfer": Colour("#5f9fb5", "#6fb9d2"),
    "central": Colour("#3f6f8f", "#5a8fb3"),
    "free_spans": EMPTY,
    "free_chunks": EMPTY,
    "dead_or_free_objects": EMPTY,
    "empty": EMPTY,
    "top": TOP,
    "dead_large_objects": TOP,
    "stacks": OTHER,
    "library_objects": START,
    "start": START,
    "metadata": METADATA,
    "released": RELEASED,
}
"""The colours of the parts of allocsim's designs and of libraries, in the order in which pictures
stack them."""

LEVELS = (
    Colour("#d9e8f5", "#22374b"),
    Colour("#a6cbe6", "#2d5a80"),
    Colour("#68a5d1", "#3d80b5"),
    Colour("#31709f", "#6fb0e0"),
    Colour("#0f3f66", "#b9defb"),
)
"""The colours of the cells of a `matrix`, from the smallest figures to the largest."""

OCCUPANCY = (EMPTY, PINNED, Colour("#f3b27c", "#b9744a"), Colour("#9cc3e4", "#42688c"), LIVE)
"""The colour of each level of `explanation.cells.LEVELS`."""


def colour_of(part: str) -> Colour:
    """Return the colour of a part; parts of a user's own design share one colour."""
    return PARTS.get(part, OTHER)


def all_colours() -> Iterable[Colour]:
    """Return every colour once."""
    frame = (INK, QUIET, GRID, PAPER, INK_ON_PART)
    return dict.fromkeys((*frame, *PARTS.values(), *LEVELS, *OCCUPANCY, OTHER))
