"""The table of a comparison and the sentences below it."""

import pytest

from allocsim import __version__
from allocsim.benchmark.figures import About, Row
from allocsim.errors import UnknownName
from allocsim.reports.comparison import ALL_COLUMNS, cells, column_of, label, titles
from allocsim.reports.conclusions import compare_counters, conclusions, conditions, warnings
from tests.reports.comparisons import MIB, compared, memory, rows, times


def test_flaw_of_a_library_is_a_warning() -> None:
    made = [*rows()[:1], Row(subject="lib:x", about=About(flaw="realloc loses"), memory=memory(9))]
    assert "lib:x: realloc loses." in warnings(compared(made).comparison)


def test_every_row_has_a_cell_for_every_title() -> None:
    found = cells(compared())
    assert list(found) == ["go2008", "lib:glibc", "lib:tcmalloc"]
    assert {len(row) for row in found.values()} == {len(titles())}


def test_best_of_each_column_is_marked_once_and_the_spread_never() -> None:
    found = cells(compared())
    heads = titles()
    best = [
        [subject for subject, row in found.items() if row[index].is_best]
        for index in range(len(heads))
    ]
    marked = dict(zip(heads, best, strict=True))
    assert marked["peak"] == ["lib:glibc"]
    assert marked["ns/event"] == ["lib:tcmalloc"]
    assert marked["spread"] == marked["rel."] == []


def test_relative_columns_hold_the_ratio_to_the_reference() -> None:
    found = cells(compared(reference="lib:glibc"))
    assert [row[1].text for row in found.values()] == ["8.33", "1.00", "1.67"]


def test_failed_subject_is_never_the_reference() -> None:
    by_name = compared(reference="lib:/a/b/libodd.so")
    assert by_name.reference == "go2008"
    assert [row[1].text for row in cells(by_name).values()] == ["1.00", "0.12", "0.20"]
    first = rows()[0]
    first.times, first.failure = None, "crashed after its memory was measured"
    shown = compared([first, *rows()[1:]])
    assert shown.reference == "lib:glibc"
    assert cells(shown)["lib:glibc"][1].text == "1.00"
    assert compared(rows()[3:]).reference is None


def test_subject_whose_times_failed_is_ranked_by_memory_only() -> None:
    made = rows()
    made[1].times, made[1].failure = None, "crashed after its memory was measured"
    found, peak = cells(compared(made)), titles().index("peak")
    assert found["lib:glibc"][peak].is_best
    assert not found["lib:glibc"][titles().index("ns/event")].is_best
    assert found["lib:tcmalloc"][titles().index("ns/event")].is_best
    lowest, fastest, *_ = conclusions(compared(made))
    assert lowest.startswith("Lowest peak: lib:glibc, 6.0 MiB; then lib:tcmalloc, 10.0 MiB")
    assert fastest.startswith("Fastest: lib:tcmalloc")
    assert "glibc" not in fastest


def test_single_run_names_no_winner() -> None:
    made = rows()[:2]
    made[0].times, made[1].times = times(20.0), times(8.0)
    shown, ns = compared(made), titles().index("ns/event")
    assert not any(row[ns].is_best for row in cells(shown).values())
    assert not any("Fastest" in text for text in conclusions(shown))
    assert warnings(shown.comparison) == ["times of a single run are not ranked; use --runs 5."]
    assert warnings(compared(made[:1]).comparison) == []


def test_percentiles_of_a_single_replay_name_no_winner() -> None:
    found = cells(compared())
    for title in ("p50", "p99", "p99.9"):
        assert not any(row[titles().index(title)].is_best for row in found.values())


def test_figure_that_is_missing_is_a_dash_and_never_the_best() -> None:
    found = cells(compared([*rows()[:2], Row(subject="lib:mimalloc", memory=memory(8 * MIB))]))
    ns = titles().index("ns/event")
    assert found["lib:mimalloc"][ns].text == "-"
    assert found["lib:glibc"][ns].is_best


def test_single_row_has_no_best() -> None:
    assert not any(cell.is_best for cell in cells(compared(rows()[:1]))["go2008"])


@pytest.mark.parametrize(
    ("sort", "first"), [("footprint", "lib:glibc"), ("ns", "lib:tcmalloc"), (None, "go2008")]
)
def test_rows_are_sorted_and_failures_come_last(sort: str | None, first: str) -> None:
    order = [row.subject for row in compared(sort=sort).rows()]
    assert (order[0], order[-1]) == (first, "lib:/a/b/libodd.so")


def test_unknown_column_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'footprint'"):
        column_of("footprnt")
    assert [column_of(column.key) for column in ALL_COLUMNS] == [*ALL_COLUMNS]
    assert [column_of(column.title) for column in ALL_COLUMNS] == [*ALL_COLUMNS]


def test_library_by_path_is_called_by_its_file() -> None:
    assert [label(row) for row in rows()][-2:] == ["lib:tcmalloc", "lib:libodd.so"]


def test_conclusions_name_lowest_peak_fastest_and_largest_after_free() -> None:
    assert conclusions(compared()) == [
        "Lowest peak: lib:glibc, 6.0 MiB; then lib:tcmalloc, 10.0 MiB (go2008: 50.0 MiB, 8.33x).",
        "Fastest: lib:tcmalloc, 8.1 ns/event; then lib:glibc, 12.1 (go2008: 20.2).",
        "Largest after freeing everything: go2008, 25.0 MiB.",
    ]
    assert conclusions(compared(rows()[:1])) == []


def test_runs_that_overlap_are_not_ranked() -> None:
    made = rows()[:3]
    made[1].times = times(7.9, 8.3, 8.4)
    ns = titles().index("ns/event")
    assert not any(row[ns].is_best for row in cells(compared(made)).values())
    assert conclusions(compared(made))[1] == (
        "No single fastest: lib:tcmalloc 8.1, lib:glibc 8.3 ns/event; their time ranges overlap."
    )


def test_runs_that_overlap_those_of_the_second_are_not_ranked() -> None:
    made = rows()[:3]
    made[0].times = times(11.9, 12.2, 12.4)
    assert conclusions(compared(made))[1] == (
        "Fastest: lib:tcmalloc, 8.1 ns/event; then lib:glibc 12.1, go2008 12.2, whose time ranges "
        "overlap."
    )


def test_slowest_is_not_named_if_its_runs_overlap_others() -> None:
    made = [*rows()[:3], Row(subject="go", memory=memory(50 * MIB), times=times(20.1, 20.4, 20.3))]
    assert conclusions(compared(made))[1] == (
        "Fastest: lib:tcmalloc, 8.1 ns/event; then lib:glibc, 12.1."
    )


def test_peaks_within_the_noise_are_not_ranked() -> None:
    made = rows()[:3]
    made[2].memory = memory(6 * MIB + (100 << 10))
    peak = titles().index("peak")
    assert not any(row[peak].is_best for row in cells(compared(made)).values())
    assert conclusions(compared(made))[0] == (
        "No single lowest peak: lib:glibc 6.0 MiB, lib:tcmalloc 6.1 MiB are within 2% of each "
        "other."
    )


def test_share_of_the_driver_is_reported() -> None:
    made = rows()[:2]
    assert "the loop that makes" not in conditions(compared(made))
    made[1].times = times(12.0, 12.1, driver=2.5)
    assert (
        "CPU time. A library's time includes 2.5 ns/event for the loop that makes the calls. "
        in conditions(compared(made))
    )


def test_wide_spread_is_a_warning() -> None:
    made = rows()[:3]
    assert warnings(compared(made).comparison) == []
    made[1].times = times(10.0, 12.0, 14.0)
    [text] = warnings(compared(made).comparison)
    assert "(lib:glibc 33.3%)" in text


def test_glibc_that_also_served_python_is_a_warning() -> None:
    made = [Row(subject="lib:glibc", memory=memory(MIB))]
    [text] = warnings(compared(made, reference="lib:glibc").comparison)
    assert "served Python" in text


def test_peak_between_two_samples_is_a_warning() -> None:
    made = [Row(subject="go2008", memory=memory(50 * MIB, high_water=60 * MIB))]
    assert (
        "go2008: the kernel's peak RSS, file pages included, grew by 60.0 MiB"
        in warnings(compared(made).comparison)[0]
    )
    made = [Row(subject="go2008", memory=memory(50 * MIB, high_water=None))]
    assert warnings(compared(made).comparison) == []


def test_design_and_its_library_are_equal_or_not() -> None:
    ours = Row(subject="glibc", memory=memory(MIB, counters={"arena": 5, "ours": 1, "x": 2}))
    theirs = Row(subject="lib:glibc", memory=memory(MIB, counters={"arena": 5, "x": 2}))
    assert compare_counters(compared([ours, theirs], reference="glibc").comparison) == [
        "glibc and lib:glibc: all 2 counters are equal at the end."
    ]
    assert theirs.memory is not None
    theirs.memory.counters["x"] = 1_000
    assert compare_counters(compared([ours, theirs], reference="glibc").comparison) == [
        "glibc and lib:glibc: 1 of 2 counters differ at the end (design and library): "
        "x (2 and 1,000)."
    ]
    theirs.memory.counters.clear()
    assert compare_counters(compared([ours, theirs], reference="glibc").comparison) == []


def test_conditions_name_threads_touch_and_runs() -> None:
    text = conditions(compared())
    assert "one thread, with `--touch page`; each" in text
    assert "5 runs after 1 warm-up run" in text


def test_threads_of_windows_are_not_called_threads_of_the_program() -> None:
    made = [Row(subject="lib:glibc", times=times(12.0, threads=21, window=4096))]
    text = conditions(compared(made, threads=201, recorded=True, ends="recorded", at_once=2))
    assert "the 201 recorded threads (their ends are recorded) (" not in text
    assert (
        "in windows of 4,096 events; threads that begin in a window start when the window starts, "
        "and no window has more than 21 threads)"
    ) in text
    assert "at once" not in text


def test_conditions_name_versions() -> None:
    assert conditions(compared()).endswith(
        f"Measured with allocsim {__version__}, lib:glibc 2.36, lib:tcmalloc gperftools 2.10."
    )
