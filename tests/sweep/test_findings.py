"""The findings of a sweep, from rows with known figures."""

import itertools
import json

import pytest
from msgspec.structs import replace

from allocsim.reports.sweep_phrases import best_on, headline
from allocsim.reports.sweep_text import sweep_json
from allocsim.spread import MAX_SPREAD
from allocsim.sweep import paste
from allocsim.sweep.findings import (
    CLOSE,
    PEAKS,
    TIMES,
    alike,
    effects,
    geometric,
    noise,
    overall,
    overall_ranges,
    ranking,
    recommended,
    table,
)
from allocsim.sweep.paste import line_for
from allocsim.sweep.results import Results, Subject, collect
from allocsim.sweep.row import Row, Speed
from tests.sweep.cells import row


def grid() -> Results:
    """glibc with two settings on two workloads: tcache_count doubles the peak, mxfast adds 10%."""
    rows = [
        row(
            f"glibc:tcache_count={t}:mxfast={m}",
            1000 * scale * (1 + t) * (100 + 10 * m),
            trace=name,
        )
        for name, scale in (("ab", 1), ("cd", 7))
        for t, m in itertools.product((0, 1), (0, 1))
    ]
    return collect([*rows, row("go2008", 90_000, trace="ab"), row("go2008", 3_000_000, trace="cd")])


def test_last_row_of_a_cell_counts() -> None:
    found = collect([row("glibc", None), row("glibc", 5), row("glibc", ns=2.0), row("go", None)])
    column = found.columns[0]
    assert (column.peaks, column.times) == ({"glibc": 5.0}, {"glibc": 2.0})
    assert column.failures == {"go": "crashed by SIGSEGV"}


def test_failure_after_a_figure_replaces_it() -> None:
    (column,) = collect([row("glibc", 5), row("glibc", ns=2.0), row("glibc", None)]).columns
    assert (column.peaks, column.times) == ({}, {"glibc": 2.0})
    assert column.failures == {"glibc": "crashed by SIGSEGV"}


def test_failed_memory_is_not_cleared_by_a_time() -> None:
    failed, timed = row("glibc", None), row("glibc", ns=2.0)
    for rows in ([failed, timed], [timed, failed]):
        results = collect(rows)
        (column,) = results.columns
        assert (column.peaks, column.times) == ({}, {"glibc": 2.0})
        assert column.failures == {"glibc": "crashed by SIGSEGV"}
        assert headline(results) == "1 workload on 1 subject: 1 cell, 1 failed"
        (shown,) = json.loads(sweep_json(results, ""))["workloads"][0]["subjects"]
        assert list(shown) == ["subject", "peak", "ns", "failure", "mean", "end", "low", "high"]
        assert shown["failure"] == "crashed by SIGSEGV"


def test_failed_time_is_not_cleared_by_a_figure_of_the_memory() -> None:
    failed = row("glibc", None, measure="times")
    (column,) = collect([failed, row("glibc", 5)]).columns
    assert (column.peaks, column.times) == ({"glibc": 5.0}, {})
    assert column.failures == {"glibc": "crashed by SIGSEGV"}
    (column,) = collect([failed, row("glibc", ns=2.0)]).columns
    assert column.failures == {}


def test_two_different_failures_of_a_subject_are_both_shown() -> None:
    hung = replace(row("glibc", None, measure="times"), failure="hung")
    (column,) = collect([row("glibc", None), hung]).columns
    assert column.failures == {"glibc": "crashed by SIGSEGV; hung"}


def test_columns_are_named_by_what_distinguishes_them() -> None:
    same = collect([row(), row("glibc"), row(trace="cd", workload="v")])
    assert [column.label for column in same.columns] == ["w", "v"]
    rows = [
        row(trace=str(seed), seed=seed, touch=touch)
        for seed in (1, 2)
        for touch in ("page", "full")
    ]
    labels = [column.label for column in collect(rows).columns]
    assert labels == [
        f"w seed {seed} touch {touch}" for seed in (1, 2) for touch in ("page", "full")
    ]


def test_overall_compares_ratios_to_the_best_of_each_workload() -> None:
    first, *others = overall(grid(), PEAKS)
    assert first.subject == "glibc:tcache_count=0:mxfast=0"
    # go2008 is best on the first workload: 90,000 against 100,000.
    assert first.mean == pytest.approx((100 / 90) ** 0.5)
    assert first.best == 1.0
    assert first.worst == pytest.approx(100 / 90)
    assert len(others) == 4
    assert others[-1].subject == "go2008" or others[-1].mean >= first.mean


def test_subject_without_a_figure_on_every_workload_is_not_overall() -> None:
    found = collect([row("go2008", 5), row("go2008", 5, trace="cd"), row("glibc", 1)])
    assert [each.subject for each in overall(found, PEAKS)] == ["go2008"]
    assert overall(found, TIMES) == []


def test_effect_is_the_ratio_of_the_worst_value_to_the_best() -> None:
    first, second = effects(grid(), PEAKS)
    assert (first.allocator, first.key, first.best) == ("glibc", "tcache_count", "0")
    assert first.size == pytest.approx(1.0)
    assert (second.key, second.combinations) == ("mxfast", 4)
    assert second.size == pytest.approx(0.1)
    assert second.levels["1"] / second.levels["0"] == pytest.approx(1.1)


def test_noise_has_no_best_value() -> None:
    close = collect([row("glibc:mxfast=0", 1000), row("glibc:mxfast=1", 1004)])
    times = [row(f"glibc:mxfast={m}", ns=100.0 + m, spread=0.1) for m in (0, 5)]
    for results in (close, collect(times)):
        found = json.loads(sweep_json(results, ""))["effects"]
        [effect] = found["footprint"] + found["time"]
        assert effect["effect"] > 0
        assert effect["best"] is None
    clear = [row(f"glibc:mxfast={m}", ns=100.0 + 50 * m, spread=0.1) for m in (0, 1)]
    assert [each.best for each in effects(collect(clear), TIMES)] == ["0"]


def test_effect_leaves_out_combinations_in_which_a_value_failed() -> None:
    rows = [row(f"glibc:mxfast={m}:tcache_count={t}", 100 + m) for m in (0, 10) for t in (0, 1)]
    rows[3] = row("glibc:mxfast=10:tcache_count=1", None)
    rows[2] = row("glibc:mxfast=10:tcache_count=0", 300)
    effect = effects(collect(rows), PEAKS)[0]
    assert (effect.key, effect.combinations) == ("mxfast", 1)
    assert effect.size == pytest.approx(2.0)


def test_setting_that_is_left_out_is_the_value_default() -> None:
    found = effects(collect([row("glibc", 100), row("glibc:mxfast=0", 80)]), PEAKS)
    assert found[0].levels.keys() == {"default", "0"}
    assert found[0].best == "0"


def test_values_are_ordered_by_number() -> None:
    rows = [row(f"glibc:mxfast={text}", 100) for text in ("1KiB", "64", "128")]
    found = table(collect([*rows, row("glibc", 100)]), PEAKS, "glibc", ["mxfast"])
    assert [level for (level,) in found] == ["default", "64", "128", "1KiB"]


def test_subject_with_the_fewest_settings_is_recommended_among_close_ones() -> None:
    figures = {"glibc:mxfast=0:cores=1": 1000.0, "glibc:mxfast=0": 1004.0, "glibc": 1006.0}
    counts = {"glibc:mxfast=0:cores=1": 2, "glibc:mxfast=0": 1, "glibc": 0}
    assert recommended(figures, counts) == ("glibc:mxfast=0", 1)


def test_subject_whose_runs_overlap_those_of_the_best_is_as_good() -> None:
    figures = {"glibc:mxfast=0": 10.0, "glibc": 10.8, "go2008": 11.5}
    ranges = {"glibc:mxfast=0": (9.8, 10.4), "glibc": (10.3, 11.0), "go2008": (11.0, 12.0)}
    counts = {"glibc:mxfast=0": 1, "glibc": 0, "go2008": 0}
    assert recommended(figures, counts) == ("glibc:mxfast=0", 0)
    assert recommended(figures, counts, ranges) == ("glibc", 1)


def timed(name: str, *ns: float, runs: int = 5, trace: str = "ab") -> Row:
    """Return a row with the lower end, the median and the upper end of times."""
    low, middle, high = ns
    times = Speed(ns=middle, low=low, high=high, runs=runs)
    return replace(row(name, ns=middle, trace=trace), times=times)


def test_ranges_over_all_workloads_are_means_of_ratios() -> None:
    rows = [timed("glibc", 9, 10, 12), timed("glibc", 18, 20, 24, trace="cd")]
    rows += [timed("go2008", 16, 20, 25), timed("go2008", 4, 5, 6.25, trace="cd")]
    found = overall_ranges(collect(rows))
    expected = {
        "glibc": [(0.9 * 3.6) ** 0.5, (1.2 * 4.8) ** 0.5],
        "go2008": [(1.6 * 0.8) ** 0.5, (2.5 * 1.25) ** 0.5],
    }
    assert found.keys() == expected.keys()
    for name, ends in expected.items():
        assert list(found[name]) == pytest.approx(ends)


def test_range_of_a_damaged_row_contains_the_median() -> None:
    (column,) = collect([timed("glibc", 12, 10, 9)]).columns
    assert column.time_ranges == {"glibc": (10, 10)}
    assert recommended(column.times, {"glibc": 0}, column.time_ranges) == ("glibc", 0)


def test_noise_of_times_is_their_usual_range() -> None:
    assert noise(collect([timed("glibc", 9, 10, 12), timed("go2008", 20, 20, 22)]), TIMES) == 0.2
    assert noise(collect([timed("glibc", 10, 10, 10, runs=1)]), TIMES) == MAX_SPREAD
    assert noise(collect([timed("glibc", 9, 10, 12)]), PEAKS) == CLOSE


def test_of_equal_subjects_the_one_with_the_fewest_settings_is_first() -> None:
    counts = {"a:x=1:y=2": 2, "b": 0, "c": 0}
    assert ranking({"a:x=1:y=2": 5.0, "c": 5.0, "b": 7.0}, counts) == ["c", "a:x=1:y=2", "b"]


def test_subjects_of_an_allocator_with_one_figure_are_one_line() -> None:
    found = collect([row("glibc", 5), row("glibc:mxfast=0", 5), row("go2008", 5), row("go", 6)])
    ranked = [("glibc", 5.0), ("glibc:mxfast=0", 5.0), ("go2008", 5.0), ("go", 6.0)]
    assert alike(found, ranked) == [("glibc", 1), ("go2008", 0), ("go", 0)]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("lib:glibc:arena_max=1", "GLIBC_TUNABLES=glibc.malloc.arena_max=1"),
        ("lib:glibc", ""),
        ("glibc:tcache_count=0:cores=4", "GLIBC_TUNABLES=glibc.malloc.tcache_count=0"),
        ("glibc:cores=4", ""),
        ("tcmalloc:release_rate=10:startup=none", "TCMALLOC_RELEASE_RATE=10"),
        ("go:GOGC=50:direct=1", "GOGC=50"),
        ("go2008", ""),
        ("lib:/gone/libx.so:narenas=1", ""),
        ("lib:unheard:of=1", ""),
        ("glibc:tcache_count=$(x)", ""),
    ],
)
def test_line_to_paste_has_the_variables_of_the_modelled_library(name: str, line: str) -> None:
    allocator, *settings = name.rsplit(":", name.count("="))
    given = dict(text.split("=", 1) for text in settings)
    assert line_for(name, Subject(allocator, given)) == line


def test_line_of_a_subject_is_made_once_for_all_workloads(monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    def line_for(name: str, _: Subject) -> str:
        names.append(name)
        return "A=1"

    monkeypatch.setattr(paste, "line_for", line_for)
    results = collect(row("glibc:mxfast=0", trace=str(n), workload=str(n)) for n in range(5))
    found = [best_on(results, column)[0].line for column in results.columns]
    assert (found, names) == (["A=1"] * 5, ["glibc:mxfast=0"])


def test_line_of_a_library_that_must_be_loaded_has_its_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("allocsim.sweep.paste.find_library", lambda _: "/usr/lib/libjemalloc.so.2")
    name = "lib:jemalloc:dirty_decay_ms=0:narenas=1"
    line = line_for(name, Subject("lib:jemalloc", {"dirty_decay_ms": "0", "narenas": "1"}))
    assert line.startswith("LD_PRELOAD=/usr/lib/libjemalloc.so.2 MALLOC_CONF=")
    assert line.endswith("dirty_decay_ms:0,narenas:1")


def test_geometric_mean_with_a_zero_is_zero() -> None:
    assert geometric([4.0, 0.0]) == 0
    assert geometric([4.0, 9.0]) == pytest.approx(6)
