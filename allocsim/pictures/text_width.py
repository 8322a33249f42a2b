"""Widths of texts in pictures, estimated because the browser chooses the font."""

from __future__ import annotations

CHARACTER = 7.0
"""Mean width of a character in pixels at a font size of 12 pixels, rounded up."""


def width_of(text: str) -> float:
    """Return the width of a text in pixels."""
    return len(text) * CHARACTER


def cut_middle(text: str, width: float) -> str:
    """Do the same as `cut`, but cut in the middle, to keep the line number at a call site's end."""
    room = int(width / CHARACTER)
    if len(text) <= room or room < 5:
        return cut(text, width)
    end = room // 2
    return f"{text[: room - 1 - end]}…{text[-end:]}"


def cut(text: str, width: float) -> str:
    """Return a text that is at most `width` pixels wide, cut with an ellipsis if need be.

    Returns "" if fewer than three characters fit.
    """
    room = int(width / CHARACTER)
    if len(text) <= room:
        return text
    return f"{text[: room - 1]}…" if room >= 3 else ""
