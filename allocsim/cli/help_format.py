"""The layout of help pages. No word is broken, and no option is broken at its hyphens."""

from __future__ import annotations

from collections.abc import Iterable

import click

_NO_BREAK = "\u2011"
"""A hyphen at which no line is broken. `getvalue` replaces it by an ordinary hyphen."""


class Formatter(click.HelpFormatter):
    """A formatter that, unlike click's, does not break "--max-footprint" after a hyphen."""

    def write_text(self, text: str) -> None:
        """Write wrapped text."""
        super().write_text(text.replace("-", _NO_BREAK))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Write names, each with its wrapped description; long names have a line of their own."""
        unbroken = [(name, text.replace("-", _NO_BREAK)) for name, text in rows]
        super().write_dl(unbroken, min(col_max, self.width // 3), col_spacing)

    def getvalue(self) -> str:
        """Return everything that was written."""
        return super().getvalue().replace(_NO_BREAK, "-")


class Context(click.Context):
    """A context whose help uses `Formatter`."""

    formatter_class = Formatter
