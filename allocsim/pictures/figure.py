"""A picture with the table that has the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

View: TypeAlias = dict[str, Any]
"""A Vega-Lite view without data from other files."""


@dataclass(frozen=True)
class Figure:
    """A picture of a result."""

    title: str
    summary: str
    """The caption. It says what the picture shows, and screen readers read it instead of the
    picture."""
    view: Callable[[int], View]
    """Returns the view for a width in pixels."""
    titles: Sequence[str]
    """Titles of the table's columns."""
    rows: Sequence[Sequence[str]]
    left: Sequence[int] = (0,)
    """The columns of the table that are left-aligned."""
