"""HTML tables, in which notebooks show results (`_repr_html_`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_RIGHT = ' style="text-align: right"'


def html_table(
    caption: str,
    titles: Sequence[str],
    rows: Iterable[Sequence[str]],
    left: Sequence[int] = (0,),
) -> str:
    """Return a table; all text is escaped. Columns are right-aligned except those in `left`."""
    head = _row("th", titles, left)
    body = "".join(_row("td", row, left) for row in rows)
    return (
        f"<table><caption>{escape(caption)}</caption>"
        f"<thead>{head}</thead><tbody>{body}</tbody></table>"
    )


def _row(tag: str, texts: Sequence[str], left: Sequence[int]) -> str:
    """Return a row of cells."""
    cells = (
        f"<{tag}{'' if column in left else _RIGHT}>{escape(text)}</{tag}>"
        for column, text in enumerate(texts)
    )
    return f"<tr>{''.join(cells)}</tr>"
