"""`allocsim empirical`: its workload, its notes and its errors."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.test_commands import workload

TABLE = "8, 30, 100\n100, 10, 50\n24, 60, 400\n1000, 0.5, 4\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of four sizes."""
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    return path


def test_empirical_takes_its_parameters(run: Run, table: Path) -> None:
    found = workload(run, f"empirical {table} --heap 30KiB --ops 1e2 --threads 2 --seed 9")
    assert (found["kind"], found["file"], found["heap"]) == ("empirical", str(table), 30 << 10)
    assert (found["ops"], found["threads"], found["seed"]) == (100, 2, 9)
    assert found["events"] > 100


def test_notes_give_the_population_and_the_dropped_sizes(run: Run, table: Path) -> None:
    ended = run(f"empirical {table} --heap 15000 --ops 10")
    assert ended.status == 0
    assert "note: dropped 1 of 4 sizes: those above 750 B, with 20.6%" in ended.err
    assert " events allocate the initial population: 14." in ended.err


def test_broken_table_ends_with_status_2(run: Run, table: Path) -> None:
    table.write_text(TABLE + "x\n")
    ended = run(f"empirical {table}")
    assert ended.status == 2
    assert ended.err.startswith(f"allocsim: error: {table}, line 5: found 'x', expected SIZE, ")


def test_missing_table_ends_with_status_2(run: Run) -> None:
    ended = run("empirical nowhere.csv")
    assert ended.status == 2
    assert "nowhere.csv: No such file or directory; expected a table of SIZE" in ended.err
