"""The findings that `allocsim sweep` prints, for rows with invented figures."""

import itertools
import json

import pytest
from msgspec.structs import replace

from allocsim.reports.sweep_screen import print_sweep
from allocsim.reports.sweep_text import FIELDS, flat, rows_csv, sweep_json
from allocsim.sweep.results import collect
from allocsim.sweep.row import Row
from tests.sweep.cells import row

SUBJECTS = [
    f"glibc:tcache_count={t}:mxfast={m}" for t, m in itertools.product((0, 7), (0, 64, 128))
]


def rows(timed: bool) -> list[Row]:
    """Six subjects: tcache_count costs memory and saves time; mxfast changes nothing."""
    found = [row(name, 2 << 20 if "count=7" in name else 1 << 20) for name in SUBJECTS]
    return found + [row(n, ns=10.0 if "count=7" in n else 20.0) for n in SUBJECTS if timed]


def printed(capsys: pytest.CaptureFixture[str], given: list[Row], top: int = 10) -> str:
    print_sweep(collect(given), top)
    return capsys.readouterr().out


def test_equal_subjects_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, rows(timed=False))
    assert "1 workload on 6 subjects: 6 cells, 0 failed" in out
    lines = [line.split() for line in out.splitlines() if "others" in line]
    assert " ".join(lines[0]) == f"{SUBJECTS[0]} and 2 others 1.0 MiB 20971.52 1.000"
    assert lines[1][-1] == "2.000"
    assert "times were not measured; use --timed" in out


def test_effect_of_each_setting_and_the_line_to_paste(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, rows(timed=False))
    [effect] = [
        line.split() for line in out.splitlines() if line.split()[1:3] == ["tcache_count", "100.0%"]
    ]
    assert effect[3] == "0"
    [other] = [line.split() for line in out.splitlines() if line.split()[1:2] == ["mxfast"]]
    assert other[2:4] == ["none", "-"]
    assert "best by footprint: glibc:tcache_count=0:mxfast=0 (2 others within 0.5%)" in out
    assert "  GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0" in out


def test_each_workload_has_its_best_and_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    given = [row("glibc:mxfast=0", 5), row("glibc", 9), row("go:GOGC=50", 7)]
    other = [
        row(each.subject, 20 - 3 * n, trace="cd", workload="v") for n, each in enumerate(given)
    ]
    out = printed(capsys, [*given, *other])
    assert "best by footprint on w: glibc:mxfast=0\n  GLIBC_TUNABLES=glibc.malloc.mxfast=0\n" in out
    assert "best by footprint on v: go:GOGC=50\n  GOGC=50\n" in out
    assert "best by footprint over all workloads: " in out


def test_heat_map_has_a_cell_for_each_pair_of_values(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, rows(timed=False))
    lines = out[out.index("peak footprint above the smallest") :].splitlines()
    assert lines[2].split() == ["0", "64", "128"]
    assert lines[4].split() == ["0", "+0.0%", "+0.0%", "+0.0%"]
    assert lines[5].split() == ["7", "+100.0%", "+100.0%", "+100.0%"]


def test_heat_map_has_a_dash_where_the_cell_failed(capsys: pytest.CaptureFixture[str]) -> None:
    out = printed(capsys, rows(timed=False)[1:])
    lines = out[out.index("peak footprint above the smallest") :].splitlines()
    assert [line.split() for line in lines[4:6]] == [
        ["0", "+0.0%", "+0.0%", "-"],
        ["7", "+100.0%", "+100.0%", "+100.0%"],
    ]


def test_chart_has_the_front_from_the_fastest_to_the_smallest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [*rows(timed=True), row("go2008", 2 << 20), row("go2008", ns=20.0)]
    out = printed(capsys, given)
    chart = [line.partition(" |")[2] for line in out.splitlines() if " |" in line]
    assert len(chart) == 10
    assert chart[0].startswith("*")
    assert chart[0].endswith("o")
    assert chart[-1].rstrip().endswith("*")
    assert "20.0 ns/event" in out
    assert "best by time: glibc:tcache_count=7:mxfast=0 (2 others within 0.5%, or with" in out


def test_times_of_a_single_run_have_no_front_and_no_best(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = rows(timed=True)
    for each in given:
        each.times = each.times and replace(each.times, runs=1)
    out = printed(capsys, given)
    assert "*" not in out
    assert "best by footprint" in out
    assert "best by time" not in out
    assert "warning: times of a single run are not ranked; use --runs 5" in out
    assert "single run" not in printed(capsys, rows(timed=True))


def test_workload_without_a_figure_has_no_table_and_no_peak_live(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = printed(capsys, [row("go", None)])
    assert "\nw: 5 events\n" in out
    assert "x live" not in out
    assert "go: crashed by SIGSEGV" in out


def test_failures_and_further_subjects_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    given = [row("go2008", 5), row("tcmalloc", 6), row("glibc", 7), row("go", None)]
    out = printed(capsys, given, top=1)
    assert "3 cells" not in out
    assert "4 cells, 1 failed" in out
    assert "go: crashed by SIGSEGV" in out
    assert "not shown: 2 subjects (--top)" in out


def test_names_from_a_file_cannot_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    name = "lib:\x1b[31mred\u202e"
    out = printed(capsys, [row(name, 5, workload="w\x1b]0;x\x07"), row("go2008", None)])
    assert not {"\x1b", "\u202e", "\x07"} & set(out)
    assert "\\x1b[31mred" in out


def test_times_of_several_machines_are_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    slow = row("go2008", ns=5.0)
    slow.host = "other"
    out = printed(capsys, [*rows(timed=True), slow])
    assert "warning: times were measured on several machines: h, other" in out


def test_json_has_the_findings_and_csv_every_row() -> None:
    given = rows(timed=True)
    found = json.loads(sweep_json(collect(given), "allocsim sweep"))
    assert found["workloads"][0]["front"] == [SUBJECTS[3], SUBJECTS[0]]
    assert found["overall"]["time"][0]["subject"] == SUBJECTS[3]
    assert found["effects"]["footprint"][0]["effect"] == pytest.approx(1.0)
    head, *lines = rows_csv(given).splitlines()
    assert head == ",".join(FIELDS)
    assert len(lines) == len(given)
    assert flat(given[0])["settings"] == "tcache_count=0 mxfast=0"
