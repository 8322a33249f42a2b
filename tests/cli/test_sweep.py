"""`allocsim sweep`: rows, report, interrupted sweeps, and errors before the first measurement."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from allocsim.cli.sweep_run import _require_figures
from allocsim.errors import EnvironmentLacks
from allocsim.sweep import worker
from allocsim.sweep.results import collect
from tests.cli.conftest import File, Run
from tests.cli.running import ENVIRONMENT, PATIENCE, command, default_signals, process
from tests.sweep.cells import row

CALLS = "1: malloc 0x10 500000\n1: malloc 0x20 50\n1: free 0x10\n1: calloc 0x10 3 50\n"

GRID = "--on go2008,glibc:startup=none -L tcache_count=0,7 -P mxfast=0:128:64"


@pytest.fixture(autouse=True)
def processes() -> Iterator[None]:
    """After the test, end the processes that replay on designs."""
    yield
    worker.processes.close()


@pytest.fixture
def trace(file: File) -> Path:
    """A recording of a few calls."""
    return file("a.txt", CALLS)


def rows(name: str = "sweep.jsonl") -> list[dict[str, Any]]:
    """Return the rows of a file by subject, without the fields that differ between two runs."""
    found = [json.loads(line) for line in Path(name).read_text().splitlines()]
    for each in found:
        del each["began"], each["seconds"]
    return sorted(found, key=lambda row: str(row["subject"]))


def test_every_cell_is_a_row_and_the_report_has_the_best(run: Run, trace: Path) -> None:
    ended = run(f"sweep {trace.name} {GRID} --jobs 2 --json")
    assert ended.status == 0, ended.err
    assert "note: go2008 has no setting mxfast, tcache_count" in ended.err
    assert "each row is appended to sweep.jsonl (--out)" in ended.err
    assert "wrote 7 rows to sweep.jsonl" in ended.err
    found = json.loads(ended.out)
    subjects = found["workloads"][0]["subjects"]
    assert len(subjects) == len(rows()) == 7
    assert [each["peak"] for each in subjects] == sorted(each["peak"] for each in subjects)
    assert {each["setting"] for each in found["effects"]["footprint"]} == {"tcache_count", "mxfast"}
    best = found["overall"]["footprint"][0]
    assert best["mean"] == 1.0
    assert best["line"].startswith("GLIBC_TUNABLES=glibc.malloc.")


def test_cells_in_the_file_are_not_measured_again(run: Run, trace: Path) -> None:
    assert run(f"sweep {trace.name} --on go2008 --jobs 1").status == 0
    before = Path("sweep.jsonl").read_text()
    again = run(f"sweep {trace.name} --on go2008 --jobs 1")
    assert Path("sweep.jsonl").read_text() == before
    assert "sweep.jsonl already has 1 of 1 cell" in again.err
    assert "appended" not in again.err
    more = run(f"sweep {trace.name} --on go2008,tcmalloc:startup=none --jobs 1 --json")
    assert Path("sweep.jsonl").read_text().startswith(before)
    assert "wrote 1 row" in more.err
    assert len(json.loads(more.out)["workloads"][0]["subjects"]) == 2


def test_show_needs_no_workload_and_says_the_same(run: Run, trace: Path) -> None:
    printed = run(f"sweep {trace.name} {GRID} --jobs 1").out
    trace.unlink()
    shown = run("sweep show sweep.jsonl --export-csv rows.csv")
    assert shown.out == printed
    assert "best by footprint: " in printed
    table = list(csv.DictReader(Path("rows.csv").read_text().splitlines()))
    assert [line["subject"] for line in table] == [row["subject"] for row in _file()]
    assert table[0]["peak"] == str(_file()[0]["memory"]["peak"])


def _file() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("sweep.jsonl").read_text().splitlines()]


DESIGN = """
from dataclasses import replace
from pathlib import Path
from allocsim.designs.go2008 import DESIGN as GO

def create(memory, threads, values):
    if not Path(__file__).with_name("mended").exists():
        raise ValueError("odd")
    return GO.create(memory, threads, {})

DESIGN = replace(GO, name="odd", create=create)
"""
"""A design that fails until a file named "mended" exists in its directory."""


def test_failure_is_a_row_and_a_retry_that_succeeds_replaces_it(run: Run, trace: Path) -> None:
    trace.with_name("odd.py").write_text(DESIGN)
    same = f"sweep {trace.name} --on {trace.with_name('odd.py')},go2008 --jobs 1"
    ended = run(same)
    assert ended.status == 0
    assert "2 cells, 1 failed" in ended.out
    assert "ValueError: odd" in _file()[0]["failure"]
    trace.with_name("mended").touch()
    assert "wrote" not in run(same).err
    retried = run(f"{same} --retry")
    assert "wrote 1 row to sweep.jsonl" in retried.err
    assert "2 cells, 0 failed" in retried.out
    assert "wrote" not in run(f"{same} --retry").err


def test_row_with_another_limit_is_measured_again(run: Run, trace: Path) -> None:
    run(f"sweep {trace.name} --on go2008 --jobs 1 --limit 100KiB")
    for limit, failed in (("", "0 failed"), ("--limit 100KiB", "1 failed")):
        ended = run(f"sweep {trace.name} --on go2008 --jobs 1 {limit}")
        assert "measuring 1 cell again: --limit has changed" in ended.err
        assert "wrote 1 row" in ended.err
        assert failed in ended.out


def test_cell_that_fails_again_is_measured_once(run: Run, trace: Path) -> None:
    run(f"sweep {trace.name} --on go2008,tcmalloc --jobs 2 --limit 100KiB")
    retried = run(f"sweep {trace.name} --on go2008,tcmalloc --jobs 2 --limit 100KiB --retry")
    assert "wrote 2 rows" in retried.err
    assert len(_file()) == 4


def test_touch_and_seeds_are_columns(run: Run, file: File) -> None:
    file(
        "j.toml", 'kind = "random"\nops = 20\nslots = 5\nsize = { distribution = "log-uniform" }\n'
    )
    ended = run("sweep j.toml --on go2008 --jobs 1 --seed 1,2 --touch none,full --json")
    assert ended.status == 0, ended.err
    names = [each["name"] for each in json.loads(ended.out)["workloads"]]
    assert names == [f"j.toml seed {s} touch {t}" for s in (1, 2) for t in ("none", "full")]


def test_plan_shows_the_grid_and_writes_nothing(run: Run, trace: Path) -> None:
    ended = run(f"sweep {trace.name} {GRID} --jobs 2 --plan")
    assert ended.status == 0, ended.err
    assert "1 workload x 7 subjects: 7 cells for memory" in ended.out
    assert "tcache_count=0,7; mxfast=0,64,128" in ended.out
    assert "with 2 cells at once" in ended.out
    assert not Path("sweep.jsonl").exists()


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        ("a.txt --on tcmalloc -L mxfast=0", 2, "unknown setting 'mxfast'"),
        ("a.txt --on tcmalloc -L release_rate=x", 2, "release_rate=x: expected 0 to 1,000"),
        ("a.txt --on tcmaloc", 2, "did you mean 'tcmalloc'"),
        ("a.txt b.txt --on go2008", 2, "b.txt"),
        ("a.txt --on go2008 --seed 1", 2, "no workload is generated from a seed"),
        ("a.txt ./a.txt --on go2008", 2, "have the same events"),
        ("sizeclass --on go2008 --seed 1,2", 2, "same events with the seeds 1 and 2; use one"),
        ("a.txt --on go2008 --touch some", 2, "--touch some: expected one of none, first"),
        ("a.txt --on lib:tbb,go2008 --out /gone/x", 2, "no such directory"),
        ("show gone.jsonl", 2, "cannot read 'gone.jsonl'"),
        ("show a.txt", 2, "line 1: not a row"),
        ("a.txt --on go2008 --out a.txt", 2, "is an input of this command"),
        ("--on go2008", 2, "Missing argument"),
    ],
)
def test_errors_come_before_the_first_cell(
    run: Run, trace: Path, line: str, status: int, message: str
) -> None:
    ended = run(f"sweep {line}")
    assert (ended.status, ended.out) == (status, "")
    assert message in ended.err
    assert trace.read_text() == CALLS
    assert not Path("sweep.jsonl").exists()


def test_sweep_without_any_figure_is_a_missing_resource(run: Run, trace: Path) -> None:
    ended = run(f"sweep {trace.name} --on go2008,glibc --limit 1KiB --jobs 1")
    assert ended.status == 3
    assert "1 workload on 2 subjects: 2 cells, 2 failed" in ended.out
    assert "no cell could be measured: go2008: the footprint, " in ended.err
    assert ended.err.rstrip().endswith("; 1 more cell failed")
    assert run(f"sweep {trace.name} --on go2008,glibc --jobs 1").status == 0


def test_peak_of_0_bytes_is_a_figure() -> None:
    _require_figures(collect([row("glibc", 0), row("go2008", None)]))
    with pytest.raises(EnvironmentLacks, match="no cell could be measured: glibc: crashed"):
        _require_figures(collect([row("glibc", None), row("go2008", None)]))


def test_file_that_is_not_of_a_sweep_is_not_changed(run: Run, trace: Path) -> None:
    Path("sweep.jsonl").write_text("notes\n")
    ended = run(f"sweep {trace.name} --on go2008 --jobs 1")
    assert (ended.status, ended.out) == (2, "")
    assert "sweep.jsonl, line 1: not a row" in ended.err
    assert Path("sweep.jsonl").read_text() == "notes\n"


@pytest.mark.slow
def test_killed_sweep_continues_with_the_same_rows(
    trace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["sweep", trace.name, *GRID.split(), "--jobs", "2"]
    assert process(*given, "--out", "whole.jsonl").status == 0
    killed = _start(*given)
    _wait_for_rows(killed, 2)
    killed.kill()
    killed.communicate()
    with Path("sweep.jsonl").open("ab") as file:
        file.write(b'{"schema":1,"workl')
    assert process(*given).status == 0
    assert rows() == rows("whole.jsonl")


@pytest.mark.slow
def test_interrupted_sweep_keeps_its_rows_and_no_process(
    trace: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    child = _start("sweep", trace.name, *GRID.split(), "--jobs", "1")
    _wait_for_rows(child, 1)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=PATIENCE)
    assert child.returncode == 130
    assert b"in sweep.jsonl; repeat the command to continue" in err
    assert len(rows()) >= 1


def _start(*given: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command(*given),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        preexec_fn=default_signals,
    )


def _wait_for_rows(child: "subprocess.Popen[bytes]", count: int) -> None:
    path, deadline = Path("sweep.jsonl"), time.monotonic() + PATIENCE
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_name_of_a_file_that_is_not_utf8_is_escaped_in_its_row(run: Run, trace: Path) -> None:
    trace.rename(os.fsdecode(b"\xff.txt"))
    ended = run("sweep --on go2008 --jobs 1", os.fsdecode(b"\xff.txt"))
    assert ended.status == 0, ended.err
    assert rows()[0]["workload"] == "\\udcff.txt"


@pytest.mark.parametrize("line", ["sweep a.txt --on go2008", "sweep show sweep.jsonl"])
def test_missing_pyarrow_is_3_before_anything_is_measured(
    run: Run, trace: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    ended = run(f"{line} --export-parquet out.parquet")
    assert (ended.status, ended.out) == (3, "")
    assert "pip install 'allocsim[parquet]'" in ended.err
    assert [path.name for path in trace.parent.iterdir()] == [trace.name]
