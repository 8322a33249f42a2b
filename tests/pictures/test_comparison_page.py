"""The page of a comparison."""

from collections.abc import Callable
from dataclasses import replace

from allocsim.pictures.comparison_page import comparison_page
from allocsim.pictures.page import Page
from allocsim.reports.comparison import label
from tests.pictures.harmless import require_harmless
from tests.pictures.pages import HOSTILE
from tests.reports.comparisons import compared


def test_the_page_has_all_allocators_and_those_that_failed(undrawn: Callable[[Page], str]) -> None:
    page = comparison_page(compared())
    peaks, times = page.figures()
    assert [row[:2] for row in peaks.rows][:2] == [["go2008", "50.0 MiB"], ["lib:glibc", "6.0 MiB"]]
    assert times.rows[0] == ["go2008", "20.2"]
    html = undrawn(page)
    require_harmless(html)
    for row in compared().comparison.rows:
        assert label(row) in html
        assert row.failure is None or row.failure in html


def test_hostile_names_are_text(undrawn: Callable[[Page], str]) -> None:
    shown = compared()
    for row in shown.comparison.rows:
        row.failure = HOSTILE
    html = undrawn(comparison_page(replace(shown, command=HOSTILE)))
    require_harmless(html)
    assert "&lt;script&gt;" in html
