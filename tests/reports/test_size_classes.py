"""The table of size classes, for people and as JSON."""

import json

import pytest

from allocsim.designs.go2008 import SIZE_CLASSES
from allocsim.reports.size_classes import classes_json, print_classes


def test_every_class_has_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_classes("go2008", SIZE_CLASSES)
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines() if line.strip()[:1].isdigit()]
    assert [int(row[0]) for row in rows] == [row.size_class for row in SIZE_CLASSES.rows()]
    for shown, row in zip(rows, SIZE_CLASSES.rows(), strict=True):
        numbers = [int(cell.replace(",", "")) for cell in shown[1:5]]
        assert numbers == [row.object_size, row.chunk, row.objects, row.tail]
        assert shown[5] == f"{row.worst_waste:.1%}"


def test_mean_and_worst_waste_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    print_classes("go2008", SIZE_CLASSES)
    out = " ".join(capsys.readouterr().out.split())
    assert f"go2008: {len(SIZE_CLASSES.rows())} classes" in out
    assert f"Average rounding: {SIZE_CLASSES.mean_waste():.1%}" in out
    worst = [row.worst_waste for row in SIZE_CLASSES.rows()]
    assert f"{sum(worst) / len(worst):.1%} on average" in out
    assert f"{max(worst):.1%} at most" in out


def test_json_holds_the_same() -> None:
    table = json.loads(classes_json("go2008", SIZE_CLASSES))
    assert set(table) == {"schema", "design", "mean_waste", "mean_worst_waste", "classes"}
    assert (table["schema"], table["design"]) == ("allocsim/size-classes/1", "go2008")
    assert table["mean_waste"] == SIZE_CLASSES.mean_waste()
    assert len(table["classes"]) == len(SIZE_CLASSES.rows())
    worst = [row.worst_waste for row in SIZE_CLASSES.rows()]
    assert table["mean_worst_waste"] == pytest.approx(sum(worst) / len(worst))
    first = SIZE_CLASSES.rows()[0]
    assert table["classes"][0]["object_size"] == first.object_size
    assert table["classes"][0]["worst_waste"] == first.worst_waste
