"""HTML tables, in which notebooks show results (`_repr_html_`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from allocsim.text import printable

_RIGHT = ' style="text-align: right"'


def html_table(
    caption: str,
    titles: Sequence[str],
    rows: Iterable[Sequence[str]],
    left: Sequence[int] = (0,),
) -> str:
    """Return a table; all text is escaped. Columns are right-aligned except those in `left`.

    The classes stop MathJax from typesetting a name with dollar signs, because a formula may
    contain a link.
    """
    head = _row("th", titles, left)
    body = "".join(_row("td", row, left) for row in rows)
    return (
        f'<table class="tex2jax_ignore mathjax_ignore"><caption>{_text(caption)}</caption>'
        f"<thead>{head}</thead><tbody>{body}</tbody></table>"
    )


def _row(tag: str, texts: Sequence[str], left: Sequence[int]) -> str:
    """Return a row of cells."""
    cells = (
        f"<{tag}{'' if column in left else _RIGHT}>{_text(text)}</{tag}>"
        for column, text in enumerate(texts)
    )
    return f"<tr>{''.join(cells)}</tr>"


def _text(text: str) -> str:
    """Return text as HTML; characters that are not printable are shown as escape sequences."""
    return escape(printable(text))
