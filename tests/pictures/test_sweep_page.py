"""The page of a sweep: its answer, the Pareto front, the maps and the effects of settings."""

import itertools
from collections.abc import Callable

from msgspec.structs import replace

from allocsim.pictures.front import CELLS
from allocsim.pictures.page import Page
from allocsim.pictures.sweep_page import FAILURES, FRONTS, sweep_page
from allocsim.sweep.results import collect
from allocsim.sweep.row import Row
from tests.pictures.harmless import require_harmless
from tests.pictures.pages import HOSTILE
from tests.pictures.test_figures import values_of
from tests.sweep.cells import row

MIB = 1 << 20

GRID = [f"glibc:tcache_count={t}:mxfast={m}" for t, m in itertools.product((0, 7), (0, 64))]


def rows(trace: str = "ab", timed: bool = False) -> list[Row]:
    """Four subjects. tcache_count=7: twice the peak, half the time. mxfast=64: 10% more memory."""
    found = []
    for name in GRID:
        is_fast, is_large = "count=7" in name, "mxfast=64" in name
        peak = MIB * (2 if is_fast else 1) * (11 if is_large else 10)
        found.append(row(name, peak, trace=trace, workload=trace))
        if timed:
            ns = 10.0 if is_fast else 20.0
            found.append(row(name, ns=ns, trace=trace, workload=trace))
    return found


def page_of(given: list[Row]) -> Page:
    return sweep_page(collect(given), "r.jsonl", "allocsim sweep show r.jsonl")


def test_front_is_on_the_line_and_first_in_the_table() -> None:
    fronts = [figure for figure in page_of(rows(timed=True)).figures() if "front" in figure.titles]
    (front,) = fronts
    assert front.titles[2:] == ("peak footprint", "CPU time")
    assert front.rows[:2] == [
        ["1", GRID[2], "20.0 MiB", "10.0 ns/event"],
        ["2", GRID[0], "10.0 MiB", "20.0 ns/event"],
    ]
    assert [line[0] for line in front.rows[2:]] == ["", ""]
    points, line, *_ = front.view(300)["layer"]
    assert [(each["across"], each["up"]) for each in values_of(line)] == [
        (10.0, 20.0),
        (20.0, 10.0),
    ]
    assert len(values_of(points)) == 2


def test_line_joins_only_points_that_are_below_all_faster_ones() -> None:
    given = [row("a", 10 * MIB), row("a", ns=10.0, spread=0.1), row("b", 12 * MIB),
             row("b", ns=10.5, spread=0.1), row("c", 9 * MIB), row("c", ns=20.0)]  # fmt: skip
    (front,) = page_of(given).figures()
    assert [line[:2] for line in front.rows] == [["1", "a"], ["2", "b"], ["3", "c"]]
    _, line, best, *_ = front.view(300)["layer"]
    assert [each["across"] for each in values_of(line)] == [10.0, 20.0]
    assert len(values_of(best)) == 3
    assert "On the front, and drawn large: 3 of 3 points." in front.summary


def test_without_times_the_front_is_of_the_peak_and_the_mean_or_the_end() -> None:
    with_end = [replace(each, memory=replace(each.memory, end=5)) for each in rows() if each.memory]
    front = page_of(with_end).figures()[0]
    assert front.titles[3] == "footprint at the end"
    assert front.rows[0] == ["1", GRID[0], "10.0 MiB", "5 B"]
    means = [replace(each, memory=replace(each.memory, mean=7)) for each in with_end if each.memory]
    front = page_of(means).figures()[0]
    assert front.titles[3] == "mean footprint"
    assert front.rows[0][3] == "7 B"


def test_many_subjects_are_drawn_as_few_points() -> None:
    given = [row(f"glibc:mxfast={n}", MIB + 64 * n, ns=None) for n in range(5000)]
    front = page_of(given).figures()[0]
    assert len(front.rows) == 5000
    drawn = values_of(front.view(300)["layer"][0])
    assert len(drawn) <= (CELLS[0] + 1) * (CELLS[1] + 1)


def test_effects_and_the_map_of_two_settings_have_the_mean_of_each_value() -> None:
    _, effects, found = page_of(rows()).figures()
    bars = values_of(effects.view(300))
    assert [round(each["size"], 1) for each in bars] == [100.0, 10.0]
    assert [line[1] for line in effects.rows] == ["tcache_count"] * 2 + ["mxfast"] * 2
    assert found.rows == [
        ["0", "0", "+0.0%"], ["0", "64", "+10.0%"],
        ["7", "0", "+100.0%"], ["7", "64", "+120.0%"],
    ]  # fmt: skip
    cells = values_of(found.view(900))
    assert [each["index"] for each in cells] == [0, 0, 4, 4]
    assert cells[0]["level"] == "to +24%"


def test_several_workloads_have_a_front_each_and_one_over_all() -> None:
    traces = [f"w{number}" for number in range(FRONTS + 2)]
    page = page_of([each for trace in traces for each in rows(trace, timed=True)])
    titles = [figure.title for figure in page.figures() if "front" in figure.titles]
    assert titles == ["Over all workloads", *traces[:FRONTS]]
    assert page.figures()[0].rows[0][2:] == ["2.000", "1.000"]


def test_answer_has_the_line_to_paste_and_the_failures(undrawn: Callable[[Page], str]) -> None:
    failed = [row(f"go:GOGC={n}", None) for n in range(FAILURES + 3)]
    html = undrawn(page_of([*rows(), *failed]))
    require_harmless(html)
    assert "GLIBC_TUNABLES=glibc.malloc.tcache_count=0" in html
    assert "go:GOGC=0 on ab: crashed by SIGSEGV" in html
    assert "3 more cells failed" in html


def test_a_sweep_without_figures_has_a_page(undrawn: Callable[[Page], str]) -> None:
    page = page_of([row("go2008", None)])
    assert page.figures() == []
    assert "crashed by SIGSEGV" in undrawn(page)


def test_names_from_a_file_are_text(undrawn: Callable[[Page], str]) -> None:
    given = [row(f"lib:{HOSTILE}:a={n}", MIB, workload=HOSTILE, ns=None) for n in (1, 2)]
    failed = replace(row(HOSTILE, None, workload=HOSTILE), failure=HOSTILE)
    html = undrawn(sweep_page(collect([*given, failed]), HOSTILE, HOSTILE))
    require_harmless(html)
    assert "&lt;script&gt;" in html
