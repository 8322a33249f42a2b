"""Pages need no scripts or other files, and show every name in a trace as text."""

import base64
import hashlib
import re
from collections.abc import Callable
from html import unescape

import pytest

from allocsim.pictures.explanation_page import explanation_page
from allocsim.pictures.page import MAX_ROWS, Page, all_in_one, html_of, table
from allocsim.pictures.render import has_renderer, png_of, svg_of
from tests.pictures.harmless import require_harmless
from tests.pictures.pages import HOSTILE, shown
from tests.test_markup import read

MAX_PAGE = 1_500_000
"""Bytes."""

needs_renderer = pytest.mark.skipif(
    not has_renderer(), reason="the extra 'pictures' is not installed"
)


Undrawn = Callable[[Page], str]


def test_hostile_names_are_text(undrawn: Undrawn) -> None:
    html = undrawn(explanation_page(shown()))
    require_harmless(html)
    assert HOSTILE.replace("\x1b", "\\x1b") in unescape(html)
    assert "</style><b>" not in html


def test_the_policy_allows_the_style_sheet_and_nothing_else(undrawn: Undrawn) -> None:
    html = undrawn(explanation_page(shown()))
    policy = unescape(re.findall(r'Content-Security-Policy" content="([^"]*)"', html)[0])
    (css,) = re.findall("<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert "url(" not in css
    assert "@import" not in css


def test_each_picture_has_a_name_a_caption_and_a_table(undrawn: Undrawn) -> None:
    html = undrawn(explanation_page(shown()))
    pictures = len(explanation_page(shown()).figures())
    assert pictures >= 6
    assert html.count("<figcaption>") == html.count('role="img"') == pictures
    assert html.count("<details>") == html.count("<!--wide-->") == pictures
    assert html.count('tabindex="0" role="region"') == html.count("<table")


def test_sections_have_different_names_and_links_reach_them(undrawn: Undrawn) -> None:
    html = undrawn(explanation_page(shown()))
    names = re.findall(r' id="([^"]*)"', html)
    assert len(names) == len(set(names))
    assert set(re.findall(r'href="#([^"]*)"', html)) == set(names)


def test_the_answer_comes_first(undrawn: Undrawn) -> None:
    html = undrawn(explanation_page(shown()))
    assert html.index("<h1>") < html.index('class="answer"') < html.index("<figure>")


@needs_renderer
def test_a_page_is_drawn_without_scripts_and_is_small() -> None:
    html = html_of(explanation_page(shown()))
    require_harmless(html)
    assert html.count("<svg ") == 2 * len(explanation_page(shown()).figures())
    assert len(html.encode()) < MAX_PAGE


@needs_renderer
def test_all_pictures_are_drawn_below_each_other() -> None:
    view = all_in_one(explanation_page(shown("plain")))
    assert svg_of(view).startswith("<svg")
    assert png_of(view).startswith(b"\x89PNG")


def test_a_long_table_is_cut_and_says_so() -> None:
    rows = [[f"row {number}"] for number in range(MAX_ROWS + 5)]
    seen = read(table("Owners", ["name"], rows, (0,)))
    assert seen.tags.count("td") == MAX_ROWS
    assert "Owners (not shown: 5 more rows)" in seen.text
    assert "Owners (not shown: 1 more row)" in read(table("Owners", ["name"], rows[:-4], (0,))).text
