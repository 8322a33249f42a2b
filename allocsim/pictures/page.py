"""A page: one file of HTML that needs no other file, no network and no script.

The Content-Security-Policy of the page forbids everything but its own style sheet. Even if markup
from a trace reached the page, the browser would therefore run and load nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from allocsim import __version__
from allocsim.html_table import html_table
from allocsim.markup import Markup, element, joined
from allocsim.pictures.figure import Figure, View
from allocsim.pictures.render import svg_of
from allocsim.pictures.style import NARROW_PLOT, WIDE_PLOT, style_sheet
from allocsim.pictures.svg import page_svg
from allocsim.text import counted

RIGHT = {"class_": "number"}
"""Attributes of a right-aligned cell."""

MAX_ROWS = 200
"""Maximum number of rows of a table."""


@dataclass(frozen=True)
class Section:
    """A part of a page. `content` is markup and figures, in order."""

    name: str
    """The id of its element, to which links lead."""
    title: str
    content: Sequence[Markup | Figure]


@dataclass(frozen=True)
class Page:
    """A page, before its figures are drawn."""

    title: str
    lead: str
    """The main result in one line."""
    sections: Sequence[Section]
    """The first section has no heading, because it follows the title."""

    def figures(self) -> list[Figure]:
        """Return all figures, in order."""
        return [
            each
            for section in self.sections
            for each in section.content
            if isinstance(each, Figure)
        ]


def html_of(page: Page) -> str:
    """Return the page as HTML, with each figure in two widths."""
    css = style_sheet()
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="generator", content=f"allocsim {__version__}"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", page.title),
        element("style", Markup(css)),  # a constant that must not be escaped
    )
    body = element(
        "body", element("a", "Skip to the answer", href="#answer", class_="skip"), _main(page)
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def all_in_one(page: Page) -> View:
    """Return one view of all figures of a page, one below the other."""
    views = [{"title": each.title, **each.view(WIDE_PLOT)} for each in page.figures()]
    return {"vconcat": views, "resolve": {"scale": {"color": "independent"}}}


def _main(page: Page) -> Markup:
    """Return the visible page."""
    first, *others = page.sections
    links = (element("li", element("a", each.title, href=f"#{each.name}")) for each in others)
    return joined(
        element(
            "header",
            element("h1", page.title),
            element("p", page.lead, class_="lead"),
        ),
        element(
            "main",
            element("section", _content(first), id=first.name, aria_label=first.title),
            element("nav", element("ul", *links), aria_label="Sections"),
            *(
                element(
                    "section",
                    element("h2", each.title, id=each.name),
                    _content(each),
                    aria_labelledby=each.name,
                )
                for each in others
            ),
        ),
    )


def _content(section: Section) -> Markup:
    """Return the content of a section."""
    return joined(
        *(_figure(each) if isinstance(each, Figure) else each for each in section.content)
    )


def _figure(figure: Figure) -> Markup:
    """Return a figure: its picture in two widths, one of which is shown, and its table."""
    drawn = (
        page_svg(svg_of(figure.view(width)), css_class)
        for css_class, width in (("wide", WIDE_PLOT), ("narrow", NARROW_PLOT))
    )
    return element(
        "figure",
        element("figcaption", figure.summary),
        element("div", *drawn, role="img", aria_label=f"{figure.title}. {figure.summary}"),
        element(
            "details",
            element("summary", f"The same as a table: {figure.title.lower()}"),
            table(figure.title, figure.titles, figure.rows, figure.left),
        ),
    )


def table(
    caption: str, titles: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int]
) -> Markup:
    """Return a table that can be scrolled, also with the keyboard.

    At most MAX_ROWS rows are shown, so that a page stays small. The caption states the number of
    rows that are not shown.
    """
    left_out = len(rows) - MAX_ROWS
    more = f" (not shown: {counted(left_out, 'more row')})" if left_out > 0 else ""
    return element(
        "div",
        html_table(caption + more, titles, rows[:MAX_ROWS], left, RIGHT),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def listed(sentences: Sequence[str]) -> Markup:
    """Return sentences as a list, or nothing for no sentences."""
    if not sentences:
        return joined()
    return element("ul", *(element("li", each) for each in sentences), class_="answer")


def warnings(texts: Sequence[str]) -> Markup:
    """Return warnings, each as a paragraph."""
    return joined(*(element("p", f"Warning: {each}", class_="warning") for each in texts))


def facts(named: Sequence[tuple[str, str]]) -> Markup:
    """Return a list of names and their values."""
    return element(
        "dl", *(joined(element("dt", name), element("dd", value)) for name, value in named)
    )
