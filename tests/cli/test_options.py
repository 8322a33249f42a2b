"""The options that all run commands share."""

import csv
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from allocsim.cli import COMMANDS
from tests.cli.conftest import Run

SMALL = "random --ops 200 --slots 20 --max-size 4K"
DRIVERS = ("random", "repeat", "run", "replay")


def result_of(run: Run, line: str) -> dict[str, Any]:
    """The JSON object of a run that succeeds."""
    ended = run(f"{line} --json")
    assert (ended.status, ended.err) == (0, "")
    found: dict[str, Any] = json.loads(ended.out)
    return found


@pytest.mark.parametrize("driver", DRIVERS)
def test_every_driver_has_the_shared_options(run: Run, driver: str) -> None:
    out = run(f"{driver} --help").out
    for option in (
        "--design", "--set", "--reserve", "--touch", "--limit", "--verify", "--every",
        "--check-every", "--classes", "--json", "--export-json", "--export-csv",
        "--export-markdown",
    ):  # fmt: skip
        assert f"{option} " in out


def test_json_has_the_promised_keys(run: Run) -> None:
    found = result_of(run, SMALL)
    assert set(found) == {
        "schema", "version", "command", "seed", "workload", "design", "at_peak", "at_end",
        "peak_live", "spans", "counters", "native_counters", "time", "dropped", "notes",
        "parameters", "mode", "events", "verified", "warnings", "moments",
    }  # fmt: skip
    assert found["command"] == f"allocsim {SMALL} --json"
    assert (found["events"], found["seed"], found["design"]) == (200, 1, "go2008")
    assert all(type(size) is int for size in found["at_peak"]["parts"].values())


def test_settings_of_a_design_are_in_the_result(run: Run) -> None:
    settings = "--design tcmalloc --set startup=none --set release_rate=0"
    found = result_of(run, f"random --ops 20 --slots 10 {settings}")
    assert (found["parameters"]["startup"], found["parameters"]["release_rate"]) == ("none", 0)
    allocated = found["native_counters"]["generic.current_allocated_bytes"]
    parts = found["at_end"]["parts"]
    assert allocated == parts["live"] + parts["rounding"]


@pytest.mark.slow
def test_same_command_gives_the_same_figures(run: Run) -> None:
    one, two = result_of(run, SMALL), result_of(run, SMALL)
    for found in (one, two):
        del found["time"]
    assert one == two


@pytest.mark.slow
def test_seed_changes_the_figures(run: Run) -> None:
    one, two = result_of(run, SMALL), result_of(run, f"{SMALL} --seed 2")
    assert two["seed"] == 2
    assert one["at_end"]["parts"] != two["at_end"]["parts"]


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--verify", "--check-every 150", "--touch full"])
def test_checks_do_not_change_the_figures(run: Run, option: str) -> None:
    assert (
        result_of(run, f"{SMALL} {option}")["at_end"]["parts"]
        == result_of(run, SMALL)["at_end"]["parts"]
    )


def test_touch_decides_what_is_resident(run: Run) -> None:
    line = "random --ops 1 --sizes fixed --max-size 4MiB --slots 1"
    resident = {
        touch: result_of(run, f"{line} --touch {touch}")["at_end"]["resident"]
        for touch in ("none", "first", "page", "full")
    }
    assert resident["none"] <= resident["first"] < 1 << 20
    assert resident["page"] == resident["full"] >= 4 << 20
    assert result_of(run, line)["at_end"]["resident"] == resident["page"]


def test_classes_add_a_table(run: Run) -> None:
    assert "size classes" not in run(SMALL).out
    assert "size classes" in run(f"{SMALL} --classes").out


@pytest.mark.parametrize("every", [1, 7, 1000])
def test_csv_has_a_row_after_every_n_events(run: Run, every: int) -> None:
    assert run(f"{SMALL} --every {every} --export-csv samples.csv").status == 0
    with Path("samples.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    events = [*range(every, 201, every)]
    assert [int(row["event"]) for row in rows] == [*events, *([200] * (events[-1:] != [200]))]
    for row in rows:
        parts = [int(value) for name, value in row.items()][1:9]
        assert sum(parts) == int(row["heap"])


def test_exports_are_written_and_named_on_stderr(run: Run) -> None:
    ended = run(f"{SMALL} --json --export-json a.json --export-csv b.csv --export-markdown c.md")
    assert ended.status == 0
    assert ended.err.splitlines() == ["wrote a.json", "wrote b.csv", "wrote c.md"]
    assert json.loads(Path("a.json").read_text()) == json.loads(ended.out)
    assert Path("b.csv").read_text().startswith("event,live,rounding,")
    assert Path("c.md").read_text().startswith("## random on go2008: 200 events")
    assert sorted(path.name for path in Path().iterdir()) == ["a.json", "b.csv", "c.md"]
    assert stat.S_IMODE(Path("a.json").stat().st_mode) & 0o600 == 0o600


@pytest.mark.parametrize("option", ["json", "csv", "markdown"])
def test_missing_directory_is_an_error_before_the_run(
    run: Run, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("the run began")

    monkeypatch.setattr("allocsim.cli.drive.drive", never)
    ended = run(f"{SMALL} --export-{option} gone/file")
    assert ended.status == 2
    assert "cannot write 'gone/file': no such directory" in ended.err


def test_export_to_a_directory_is_an_error(run: Run, tmp_path: Path) -> None:
    ended = run(f"{SMALL} --export-json {tmp_path}")
    assert ended.status == 2
    assert "is a directory" in ended.err


def test_old_export_stays_when_the_run_fails(run: Run) -> None:
    Path("a.json").write_text("old")
    assert run(f"{SMALL} --limit 1K --export-json a.json").status == 1
    assert Path("a.json").read_text() == "old"


def test_export_that_cannot_be_written_is_3(run: Run) -> None:
    ended = run(f"{SMALL} --export-json /dev/full")
    assert ended.status == 3
    assert "cannot write '/dev/full': No space left on device" in ended.err
    assert "Peak footprint" in ended.out


def test_reserve_bounds_the_heap(run: Run) -> None:
    line = "random --ops 50 --sizes fixed --max-size 1MiB"
    ended = run(f"{line} --reserve 2MiB")
    assert ended.status == 3
    assert "does not fit in the reserved address space (2.0 MiB)" in ended.err
    assert run(f"{line} --reserve 1GiB").status == 0


@pytest.mark.parametrize("line", ["random --threads 3", "run pipeline.toml"])
def test_exceeded_limit_is_1(run: Run, file: Callable[[str, str], Path], line: str) -> None:
    file("pipeline.toml", 'kind = "pipeline"\nops = 100\n')
    ended = run(f"{line} --limit 1KiB")
    assert (ended.status, ended.out) == (1, "")
    assert "exceeded the limit of 1.0 KiB after" in ended.err


def test_stdout_has_only_results(run: Run, file: Callable[[str, str], Path]) -> None:
    """Notes go to stderr."""
    file("two.txt", "1 malloc(5)=0x10\n2 malloc(5)=0x10\n2 mal")
    ended = run("replay two.txt --json")
    assert ended.status == 0
    assert json.loads(ended.out)["notes"]
    assert ended.err.startswith("note: using process 1 only")
    assert "warning: the recording is incomplete: line 3, the last, has no newline" in ended.err


def test_every_command_is_in_the_help(run: Run) -> None:
    out = run("--help").out
    assert all(f"  {name} " in out for name in COMMANDS)
    assert "Exit status: 0 success, 1 a check failed" in out
