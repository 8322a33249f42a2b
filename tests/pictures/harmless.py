"""The elements and attributes that a page may contain."""

import re

from tests.test_markup import read

ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "section", "nav"),
    *("h1", "h2", "p", "ul", "li", "a", "figure", "figcaption", "div", "details", "summary"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd"),
    *("svg", "g", "path", "rect", "line", "text", "tspan"),
}


def require_harmless(html: str) -> None:
    """Fail if a page runs, loads or links anything, or has an element that it should not have."""
    seen = read(html)
    assert set(seen.tags) <= ELEMENTS
    assert not re.search(r'\s(on\w+|style|src|xlink:href)="', html)
    assert all(link.startswith("#") for link in re.findall(r'href="([^"]*)"', html))
