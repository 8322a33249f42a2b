"""Results in a notebook: HTML tables whose text is escaped."""

import re
from html.parser import HTMLParser

import numpy as np

from allocsim import Heap, Snapshot
from allocsim.core.records import SAMPLE
from allocsim.html_table import html_table
from allocsim.results import ComparisonResult
from allocsim.text import format_bytes
from tests.reports.comparisons import compared, rows


class Cells(HTMLParser):
    """Collects the text of every cell; fails on a tag that is left open."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        if tag in ("td", "th", "caption"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.cells[-1] += data


def test_text_of_a_table_is_escaped() -> None:
    html = html_table("<b>", ["a & b"], [["<script>alert('x')</script>"], ['"']])
    assert "<script>" not in html
    assert Cells(html).cells == ["<b>", "a & b", "<script>alert('x')</script>", '"']


def test_text_of_a_table_is_neither_a_formula_nor_several_lines() -> None:
    html = html_table("$\\href{http://evil.example}{x}$", ["a"], [["two\nlines\x1b[31m"]])
    assert html.startswith('<table class="tex2jax_ignore mathjax_ignore">')
    assert Cells(html).cells == ["$\\href{http://evil.example}{x}$", "a", "two\\nlines\\x1b[31m"]


def test_snapshot_shows_each_part_that_has_bytes(heap: Heap) -> None:
    heap.malloc(100)
    snapshot = heap.profile()
    cells = Cells(snapshot._repr_html_()).cells
    assert cells[:2] == ["after 0 events", ""]
    assert cells[cells.index("live") + 1] == "100 B"
    assert cells[cells.index("footprint") + 1] == format_bytes(snapshot.footprint)
    assert cells[cells.index("footprint") + 2] == "100.0%"
    assert "released" not in cells


def test_share_of_an_empty_footprint_is_a_dash() -> None:
    empty = Snapshot.of(np.zeros(1, SAMPLE).view(np.recarray)[0])
    cells = Cells(empty._repr_html_()).cells
    assert cells[cells.index("footprint") + 1 :][:2] == ["0 B", "-"]


def test_comparison_shows_every_allocator_and_why_one_failed() -> None:
    result = ComparisonResult(compared())
    cells = Cells(result._repr_html_()).cells
    assert cells[0] == "orders: 82,717 events; * best in column"
    assert {"go2008", "lib:glibc", "lib:tcmalloc", "lib:libodd.so"} <= set(cells)
    assert rows()[-1].failure in cells
    assert "*6.0 MiB" in cells
    assert (len(cells) - 1) % 5 == 0  # a header and four rows, all of the same length


def test_comparison_as_a_table_has_nan_for_what_is_not_known() -> None:
    table = ComparisonResult(compared()).table
    assert table["subject"].tolist() == [
        "go2008",
        "lib:glibc",
        "lib:tcmalloc",
        "lib:/a/b/libodd.so",
    ]
    assert table["footprint"][:3].tolist() == [50 << 20, 6 << 20, 10 << 20]
    assert np.isnan(table["footprint"][3])
    assert table["p99.9"][1] == 108.0


def test_repr_of_a_comparison_is_a_line() -> None:
    line = repr(ComparisonResult(compared()))
    assert re.fullmatch(
        r"<Comparison orders: go2008 50.0 MiB 20.2 ns/event, lib:glibc 6.0 MiB .*, "
        r"lib:libodd.so failed>",
        line,
    )
