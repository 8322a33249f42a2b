"""HTML tables: in notebooks (`_repr_html_`), and in pages with pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from allocsim.markup import Markup, element, joined

IN_NOTEBOOK = {"style": "text-align: right"}
"""Attributes of a right-aligned cell in a notebook, where no style sheet applies."""


def html_table(
    caption: str,
    titles: Sequence[str],
    rows: Iterable[Sequence[str]],
    left: Sequence[int] = (0,),
    right: Mapping[str, str] = IN_NOTEBOOK,
) -> Markup:
    """Return a table; all text is escaped. Columns are right-aligned except those in `left`.

    MathJax would typeset a name with dollar signs as a formula, so a name from an untrusted file
    could add a link to the page. The CSS classes of the table make MathJax skip the table. `right`
    has the attributes of a right-aligned cell.
    """
    head = _row("th", titles, left, right)
    body = joined(*(_row("td", row, left, right) for row in rows))
    return element(
        "table",
        element("caption", caption),
        element("thead", head),
        element("tbody", body),
        class_="tex2jax_ignore mathjax_ignore",
    )


def _row(tag: str, texts: Sequence[str], left: Sequence[int], right: Mapping[str, str]) -> Markup:
    """Return a row of cells."""
    cells = (
        element(tag, text, **({} if column in left else right)) for column, text in enumerate(texts)
    )
    return element("tr", *cells)
