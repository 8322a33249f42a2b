"""The result of tune: on the screen, as JSON, as a table file."""

import json
from typing import Any

import pytest

from allocsim.designs import find_design
from allocsim.designs.table_parameter import KEY
from allocsim.reports.tuning_screen import print_tuning
from allocsim.reports.tuning_text import source_text, table_text, tuning_json
from tests.conftest import REPOSITORY
from tests.reports.documented import section, undocumented
from tests.tuning.tuned import row, tuning


def shown(capsys: pytest.CaptureFixture[str], **fields: Any) -> str:
    print_tuning(tuning(**fields))
    return capsys.readouterr().out


def test_figures_of_every_workload_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [" ".join(line.split()) for line in shown(capsys).splitlines()]
    assert "mine 100.0 MiB 90.0 MiB -10.0% 110.0 MiB 110.0 MiB -5.0% -2.5 MiB -3.8 MiB" in lines
    assert any(line.startswith("other (held back) 100.0 MiB 95.0 MiB -5.0%") for line in lines)


def test_each_class_shows_the_classes_that_it_replaces(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [" ".join(line.split()) for line in shown(capsys).splitlines()]
    inside = sum(64 < size <= 8192 for size in tuning().question.own_table)
    assert "16 1 512 32 3 8, 16" in lines
    assert "64 1 128 32 2 32, 48, 64" in lines
    assert f"8,192 2 2 8 1 80 to 8,192 ({inside} classes)" in lines


def test_verdict_is_the_end_of_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys).endswith("Recommended for this program.\n")
    refused = shown(capsys, rows=[row(footprint=111)]).splitlines()
    assert refused[-2:] == [
        "Not recommended:",
        "  The peak footprint of mine rises from 110.0 MiB to 111.0 MiB.",
    ]


def test_json_has_the_figures_and_both_tables() -> None:
    found = json.loads(tuning_json(tuning(), "allocsim tune mine"))
    assert found["schema"] == "allocsim/tuning/1"
    assert found["recommended"]
    assert found["workloads"][0]["new"]["in_spans"] == 90 << 20
    assert [each["size"] for each in found["classes"]] == [16, 64, 8192, 262144]
    assert found["classes"][1] == {"size": 64, "pages": 1, "objects": 128, "batch": 32}
    assert len(found["today"]) == 85


@pytest.mark.parametrize("text", [table_text(tuning()), tuning_json(tuning(), "tune")])
def test_every_field_is_documented(text: str) -> None:
    page, found = (REPOSITORY / "docs/tuning-schema.md").read_text(), json.loads(text)
    assert section(page, f"`{found['schema']}`")
    assert undocumented(found, page) == set()


@pytest.mark.parametrize("text", [table_text(tuning()), tuning_json(tuning(), "tune")])
def test_table_file_is_read_as_a_setting(tmp_path: Any, text: str) -> None:
    path = tmp_path / "table.json"
    path.write_text(text)
    design = find_design("tcmalloc")
    found = design.checked({KEY: str(path)})
    assert design.shown(found)[KEY] == "16,64,8192,262144"


def test_source_has_every_class() -> None:
    assert "    {64, 1},  // 128 objects, batch 32" in source_text(tuning())
