"""A comparison as JSON, CSV and Markdown."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

from allocsim.benchmark.figures import About, Row
from allocsim.program_run import RealRuns
from allocsim.reports.comparison import ALL_COLUMNS, Compared, titles
from allocsim.reports.comparison_text import (
    SCHEMA,
    comparison_csv,
    comparison_json,
    comparison_markdown,
)
from allocsim.saved_results import SubjectFigures, read_saved
from tests.conftest import REPOSITORY
from tests.reports.comparisons import MIB, compared, memory, rows
from tests.reports.documented import undocumented
from tests.reports.test_markdown import HOSTILE, kinds_of
from tests.test_program_run import program_run


def test_json_has_every_figure_and_what_follows_from_it() -> None:
    found = json.loads(comparison_json(compared()))
    assert found["schema"] == "allocsim/comparison/3"
    assert found["workload"] == {"name": "orders", "kind": "trace", "format": "aosp"}
    assert (found["events"], found["threads"], found["reference"]) == (82_717, "one", "go2008")
    first, second, _, last = found["subjects"]
    assert first["memory"]["peak"] == 50 * MIB
    assert first["memory"]["x_live"] == 10.0
    assert first["memory"]["overhead"] == 12.5
    assert first["memory"]["fragmentation"] == 0.92
    assert first["times"]["ns_per_event"] == 20.2
    assert (second["version"], second["host"]) == ("2.36", "mimalloc")
    assert last["memory"] is last["times"] is None
    assert last["failure"].startswith("crashed")
    assert len(found["conclusions"]) == 3


def test_schema_names_every_figure() -> None:
    schema = (REPOSITORY / "docs/comparison-schema.md").read_text()
    made = rows()
    made[1].real = RealRuns(runs=[program_run()])
    comparison = compared(made)
    comparison.comparison.workload.trace.program_run = program_run()
    assert undocumented(json.loads(comparison_json(comparison)), schema) == set()
    assert f"`{SCHEMA}`" in schema


def test_json_is_read_back_as_a_saved_result(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(comparison_json(compared()))
    first, *_, last = read_saved(str(path)).subjects
    assert first == SubjectFigures(
        "go2008", 50 * MIB, 49 * MIB, 0.92, 20.2, runs=(20.0, 20.5, 20.2)
    )
    assert last == SubjectFigures(
        "lib:/a/b/libodd.so", failure="crashed by SIGSEGV while replaying"
    )


def test_csv_has_a_row_for_each_subject() -> None:
    head, *found = csv.reader(io.StringIO(comparison_csv(compared())))
    assert head == ["subject", "version", *(column.key for column in ALL_COLUMNS), "failure"]
    assert found[0][:3] == ["go2008", "", str(50 * MIB)]
    assert found[-1][2:-1] == [""] * len(ALL_COLUMNS)


def test_markdown_is_a_table_with_the_best_in_bold() -> None:
    lines = comparison_markdown(compared()).splitlines()
    assert lines[0] == "## orders: 82,717 events"
    assert lines[2].count("|") == lines[3].count("|") == len(titles()) + 2
    assert lines[5].startswith("| lib:glibc | **6.0 MiB** | 0.12 | **1.20** |")
    assert lines[7] == "| lib:libodd.so | crashed by SIGSEGV while replaying |"


def named(text: str) -> Compared:
    """Return a comparison in which every name, version, loss and failure is `text`."""
    about = About(version=text, flaw=text)
    rows = [
        Row(subject=f"./{text}.py", about=about, memory=memory(5 * MIB)),
        Row(subject=f"lib:/a/{text}", about=about, memory=memory(6 * MIB), failure=text),
        Row(subject="lib:good", about=about, memory=memory(7 * MIB)),
    ]
    shown = compared(rows)
    trace = replace(shown.comparison.workload.trace, name=text, losses=[text])
    workload = replace(shown.comparison.workload, trace=trace)
    comparison = replace(shown.comparison, workload=workload)
    return replace(shown, comparison=comparison, command=f"allocsim compare {text}")


def test_hostile_names_make_no_markup() -> None:
    usual = kinds_of(comparison_markdown(named("usual")))
    for text in HOSTILE:
        assert kinds_of(comparison_markdown(named(text))) == usual, text


def test_csv_has_no_formula_and_no_line_end_in_a_cell() -> None:
    for text in ("=1+1", "+1", "-1", "@SUM(A1)"):
        _, row, failed, _ = csv.reader(io.StringIO(comparison_csv(named(text))))
        assert (row[1], failed[-1]) == (f"'{text}", f"'{text}")
    text = comparison_csv(named('two\nlines, "quoted" \x1b[31m'))
    assert len(text.splitlines()) == 4
    assert [row[1] for row in csv.reader(io.StringIO(text))][1:] == [
        'two\\nlines, "quoted" \\x1b[31m'
    ] * 3
