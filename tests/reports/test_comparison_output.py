"""A comparison as JSON, CSV, Markdown and on the screen."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

from allocsim.benchmark.figures import Row
from allocsim.reports.comparison import COLUMNS, titles
from allocsim.reports.comparison_output import (
    comparison_csv,
    comparison_json,
    comparison_markdown,
    print_comparison,
)
from allocsim.saved_results import Standing, read_standings
from tests.reports.comparisons import MIB, compared, memory, rows


def test_json_has_every_figure_and_what_follows_from_it() -> None:
    found = json.loads(comparison_json(compared()))
    assert found["schema"] == "allocsim/comparison/1"
    assert found["workload"] == {"name": "orders", "kind": "trace", "format": "aosp"}
    assert (found["events"], found["threads"], found["reference"]) == (82_717, "one", "go2008")
    first, second, _, last = found["subjects"]
    assert first["memory"]["peak"] == 50 * MIB
    assert first["memory"]["overhead"] == 10.0
    assert first["memory"]["fragmentation"] == 0.92
    assert first["times"]["ns_per_event"] == 20.2
    assert (second["version"], second["host"]) == ("2.36", "mimalloc")
    assert last["memory"] is last["times"] is None
    assert last["failure"].startswith("crashed")
    assert len(found["conclusions"]) == 3


def test_json_is_read_back_as_standings(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(comparison_json(compared()))
    first, *_, last = read_standings(str(path))
    assert first == Standing("go2008", 50 * MIB, 49 * MIB, 0.92, 20.2)
    assert last == Standing("lib:/a/b/libodd.so", failure="crashed by SIGSEGV while playing")


def test_csv_has_a_row_for_each_subject() -> None:
    head, *found = csv.reader(io.StringIO(comparison_csv(compared())))
    assert head == ["subject", "version", *(column.key for column in COLUMNS), "failure"]
    assert found[0][:3] == ["go2008", "", str(50 * MIB)]
    assert found[-1][2:-1] == [""] * len(COLUMNS)


def test_markdown_is_a_table_with_the_best_in_bold() -> None:
    lines = comparison_markdown(compared()).splitlines()
    assert lines[0] == "## orders: 82,717 events"
    assert lines[2].count("|") == lines[3].count("|") == len(titles()) + 2
    assert lines[5].startswith("| lib:glibc | **6.0 MiB** | 0.12 | **1.20** |")
    assert lines[7] == "| lib:libodd.so | crashed by SIGSEGV while playing |"


def test_screen_keeps_each_row_on_a_line_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    print_comparison(compared())
    out = capsys.readouterr().out
    [line] = [line for line in out.splitlines() if line.strip().startswith("lib:glibc ")]
    assert "*6.0 MiB" in line
    assert "*1,536" in line
    assert "lib:libodd.so: crashed by SIGSEGV while playing" in out
    assert "\x1b" not in out


@pytest.mark.parametrize("columns", [40, 60, 80, 100])
def test_narrow_terminal_gets_whole_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    print_comparison(compared())
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    assert "…" not in out
    assert "*6.0 MiB" in out
    assert "left out, for want of width" in out
    assert all(len(line) <= columns for line in out.splitlines())


def test_long_name_makes_the_table_wider_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    name = "lib:/a/lib" + 60 * "x" + ".so"
    print_comparison(compared([*rows()[:2], Row(subject=name, memory=memory(MIB))]))
    out = capsys.readouterr().out
    assert "…" not in out
    assert 60 * "x" + ".so" in out
