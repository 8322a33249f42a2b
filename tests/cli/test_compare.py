"""`allocsim compare`: measurement of several allocators, and comparison of saved results."""

import contextlib
import csv
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from allocsim.core.jit import PURE
from allocsim.events import Trace
from allocsim.libraries.find import find_library
from allocsim.traces.native.file import write_trace
from tests.cli.conftest import Run
from tests.cli.running import ENVIRONMENT, PATIENCE, command, default_signals
from tests.conftest import SCALE
from tests.reports.comparisons import MIB

TRACE = "1: malloc 0x10 500000\n1: malloc 0x20 50\n1: free 0x10\n1: calloc 0x10 3 50\n"
QUICK = "--runs 1 --warmup 0"

COMPILED = pytest.mark.skipif(PURE, reason="threads are replayed by compiled code only")

Write = Callable[[str, str], Path]
T = TypeVar("T")


@pytest.fixture
def trace(file: Write) -> Path:
    """A recording of a few calls."""
    return file("trace.txt", TRACE)


def result(peak: float, ns: float | None = 10.0, subject: str = "lib:glibc") -> str:
    """A saved comparison of one subject."""
    memory = {"peak": peak, "end": peak, "fragmentation": 0.5}
    row: dict[str, Any] = {"subject": subject, "failure": None, "memory": memory}
    row["times"] = None if ns is None else {"ns_per_event": ns}
    return json.dumps({"schema": "allocsim/comparison/1", "subjects": [row]})


def test_every_report_of_a_run_says_the_same(run: Run, trace: Path) -> None:
    files = "--export-json a.json --export-csv a.csv --export-markdown a.md"
    ended = run(f"compare {trace.name} --on lib:glibc {QUICK} --json {files}")
    assert ended.status == 0, ended.err
    printed = json.loads(ended.out)
    assert printed == json.loads(Path("a.json").read_text())
    assert printed["events"] == 4
    [row] = printed["subjects"]
    assert row["memory"]["peak_live"] == 500_050
    assert row["memory"]["peak"] > 400_000
    assert len(row["times"]["runs"]) == 1
    _, line = csv.reader(Path("a.csv").read_text().splitlines())
    assert line[:3] == ["lib:glibc", row["version"], str(row["memory"]["peak"])]
    assert "| lib:glibc |" in Path("a.md").read_text()
    assert ended.err.count("wrote a.") == 3


@pytest.mark.compiled
def test_settings_of_a_design_follow_its_name(run: Run, trace: Path) -> None:
    names = ["tcmalloc:startup=none", "tcmalloc:startup=none:aggressive_decommit=yes"]
    ended = run(f"compare {trace.name} --on {','.join(names)} {QUICK} --json")
    assert ended.status == 0, ended.err
    rows = json.loads(ended.out)["subjects"]
    assert [row["subject"] for row in rows] == names
    kept, given_back = (row["memory"]["end"] for row in rows)
    assert given_back < kept
    assert [row["times"]["spread"] for row in rows] == [None, None]


@pytest.mark.compiled
def test_subject_that_is_missing_is_a_row_and_the_others_go_on(run: Run, trace: Path) -> None:
    ended = run(f"compare {trace.name} --on lib:/gone/libx.so,lib:glibc {QUICK}")
    assert ended.status == 0
    assert "'/gone/libx.so': no such library" in ended.out
    assert any(line.split()[0] == "lib:glibc" for line in ended.out.splitlines() if line.strip())


def test_only_subject_that_is_missing_is_status_3(run: Run, trace: Path) -> None:
    ended = run(f"compare {trace.name} --on lib:/gone/libx.so {QUICK}")
    assert (ended.status, ended.out) == (3, "")
    assert "no subject could run: lib:/gone/libx.so: '/gone/libx.so': no such library" in ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("x.txt --on go2009", "unknown subject 'go2009' (did you mean 'go2008'?)"),
        ("x.txt --on lib:gemalloc", "unknown library 'gemalloc' (did you mean 'jemalloc'?)"),
        ("x.txt --on lib:glibc,lib:glibc", "'lib:glibc' is named twice"),
        ("x.txt --on lib:glibc --on lib:glibc", "'lib:glibc' is named twice"),
        ("x.txt --on lib:glibc --export-json r --export-csv ./r", "'./r' is given for two exports"),
        ("x.txt --on lib:glibc --on go2008 --reference tcmalloc", "one of: go2008, lib:glibc"),
        ("x.txt --on lib:glibc --reference go2008", "unknown allocator for --reference 'go2008'"),
        ("x.txt --on lib:glibc --sort peek", "unknown column 'peek'"),
        ("gone.txt --on lib:glibc", "gone.txt"),
        ("a.json b.json c.json", "expected one WORKLOAD, or A.json B.json; found 3"),
        ("a.json b.json", "a.json: No such file"),
        ("x.txt --tolerance 3", "invalid percentage '3'"),
        ("x.txt --on lib:glibc --export-json /gone/a.json", "no such directory"),
        ("x.txt --timeout 0", "'0' is out of range; expected 0.1 to 1,000,000 seconds"),
    ],
)
def test_wrong_usage_is_status_2(run: Run, arguments: str, message: str) -> None:
    ended = run(f"compare {arguments}")
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err


def test_pace_needs_a_recording_with_times(run: Run, trace: Path) -> None:
    ended = run(f"compare {trace.name} --on lib:glibc --pace recorded {QUICK}")
    assert (ended.status, ended.out) == (2, "")
    assert f"{trace.name} has no times, but `--pace recorded` needs them" in ended.err


def test_recording_that_is_broken_is_status_2(run: Run, file: Write) -> None:
    file("bad.txt", "1: malloc 0x10 5\nnonsense\n1: free 0x10\n")
    ended = run(f"compare bad.txt --on lib:glibc {QUICK}")
    assert ended.status == 2
    assert "bad.txt" in ended.err
    assert "2" in ended.err


def test_result_that_is_worse_fails(run: Run, file: Write) -> None:
    file("a.json", result(100 * MIB))
    file("b.json", result(104 * MIB))
    assert run("compare a.json a.json").status == 0
    assert run("compare b.json a.json").status == 0
    worse = run("compare a.json b.json")
    assert worse.status == 1
    assert "FAILED  lib:glibc: peak footprint 100.0 MiB -> 104.0 MiB (+4.0%)" in worse.out
    assert "2 of 2 checks failed" in worse.err
    assert run("compare a.json b.json --tolerance 4%").status == 0


def test_results_of_different_workloads_get_a_note(run: Run, file: Write) -> None:
    for name in ("a", "b"):
        found = json.loads(result(MIB)) | {"workload": {"name": f"trace {name}"}}
        file(f"{name}.json", json.dumps(found))
    assert (
        "note: different workloads: a.json has trace a, b.json has trace b"
        in run("compare a.json b.json").err
    )
    assert "note" not in run("compare a.json a.json").err


def test_times_are_compared_only_with_a_tolerance_of_their_own(run: Run, file: Write) -> None:
    file("a.json", result(MIB, ns=10.0))
    file("b.json", result(MIB, ns=11.0))
    assert "time" not in run("compare a.json b.json").out
    assert run("compare a.json b.json --time-tolerance 9%").status == 1
    ended = run("compare a.json b.json --time-tolerance 10%")
    assert (ended.status, "ok      lib:glibc: time 10.0 ns/event" in ended.out) == (0, True)


def test_results_without_a_subject_in_common_are_an_error(run: Run, file: Write) -> None:
    file("a.json", result(MIB))
    file("b.json", result(MIB, subject="go2008"))
    for line in ("compare a.json b.json", "check b.json --against a.json"):
        ended = run(line)
        assert (ended.status, ended.out) == (2, "")
        assert "have no allocator in common: a.json has lib:glibc; b.json has go2008" in ended.err


@pytest.mark.parametrize("option", ["--on go2008", "--runs 3", "--sort ns", "--export-csv x"])
def test_saved_results_are_not_measured_again(run: Run, file: Write, option: str) -> None:
    file("a.json", result(MIB))
    ended = run(f"compare a.json a.json {option}")
    assert ended.status == 2
    assert f"{option.split()[0]} needs a WORKLOAD, and does not apply to saved results" in ended.err


def test_one_saved_result_is_not_a_workload(run: Run, file: Write) -> None:
    file("a.json", result(MIB))
    assert "this is a saved result; use it with `allocsim check`" in run("compare a.json").err


def test_result_without_figures_is_nothing_to_compare_with(run: Run, file: Write) -> None:
    failed = {"subject": "x", "failure": "hung", "memory": None, "times": None}
    schema = "allocsim/comparison/1"
    file("a.json", json.dumps({"schema": schema, "subjects": [failed]}))
    assert run("compare a.json a.json").status == 2


def test_without_on_all_designs_and_installed_libraries_are_subjects() -> None:
    from allocsim.cli.measure_options import subjects_of

    found = subjects_of([])
    assert found[0] == "go2008"
    assert "lib:glibc" in found
    assert ("lib:jemalloc" in found) == (find_library("jemalloc") is not None)


def test_repeated_on_adds_subjects() -> None:
    from allocsim.cli.measure_options import subjects_of

    assert subjects_of(["go2008", "tcmalloc,lib:glibc"]) == ["go2008", "tcmalloc", "lib:glibc"]


@pytest.mark.parametrize("threads", [1, pytest.param(4, marks=COMPILED)])
def test_interrupt_ends_every_process(tmp_path: Path, threads: int) -> None:
    """Ctrl-C while a child replays a workload that takes minutes."""
    job = f'kind = "random"\nops = {100_000 * SCALE}\nthreads = {threads}\n'
    (tmp_path / "long.toml").write_text(job)
    line = command("compare", str(tmp_path / "long.toml"), "--on", "lib:glibc", "--runs", "1000")
    parent = subprocess.Popen(
        line,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=default_signals,
    )
    try:
        child = wait_for(lambda: measuring_child_of(parent.pid))
        parent.send_signal(signal.SIGINT)
        out, err = parent.communicate(timeout=PATIENCE)
    finally:
        parent.kill()
        parent.wait()
    assert (parent.returncode, out) == (130, ""), err
    assert "the measuring processes were killed" in err
    assert not Path(f"/proc/{child}").exists()


def measuring_child_of(parent: int) -> int | None:
    """Return the measuring child of `parent`, or None while it has not executed its program yet."""
    for child in map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split()):
        with contextlib.suppress(OSError):  # it has ended
            if b"benchmark.child" in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
    return None


def wait_for(state: Callable[[], T | None]) -> T:
    """Wait for a value and return it; fail after PATIENCE."""
    deadline = time.monotonic() + PATIENCE
    while (found := state()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def test_help_does_not_import_the_engine() -> None:
    for name in ("compare", "check"):
        code = (
            "import sys; from allocsim import cli\n"
            f"sys.argv = ['allocsim', '{name}', '--help']\n"
            "try: cli.main()\n"
            "except SystemExit: pass\n"
            "print(sorted({'numba', 'numpy', 'rich', 'msgspec'} & set(sys.modules)))"
        )
        child = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
            check=True,
        )
        assert child.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("line", ["compare x.allocsim --on go2008", "check x.allocsim --max-ns 9"])
def test_workload_without_events_is_an_error(run: Run, tmp_path: Path, line: str) -> None:
    write_trace(Trace("x", iter(()), {}), tmp_path / "x.allocsim")
    ended = run(line)
    assert (ended.status, ended.out) == (2, "")
    assert "x.allocsim has no events" in ended.err
