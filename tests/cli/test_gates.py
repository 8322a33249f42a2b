"""`check` and `compare A B` reject results that would make a check in CI pass by accident."""

import json
from typing import Any

import pytest

import allocsim
from allocsim.errors import InputError
from tests.cli.conftest import File, Run
from tests.cli.test_compare import TRACE, result
from tests.reports.comparisons import MIB

ALL_FAILED = """{"schema": "allocsim/comparison/1", "workload": {"name": "w"}, "subjects":
[{"subject": "go2008", "failure": "crash \\u001b[31m\\n fake line", "memory": {"peak": 1, "end": 1,
"fragmentation": 0.1}, "times": {"ns_per_event": 1.0}}]}"""

NO_SUBJECTS = """{"schema": "allocsim/comparison/1", "workload": {"name": "w"}, "subjects": []}"""

OK = """{"schema": "allocsim/profile/1", "design": "go2008", "at_peak": {"footprint": 100,
"fragmentation": 0.5}, "at_end": {"footprint": 100}, "time": {"ns_per_event": 3.0}, "workload":
{"name": "w"}}"""


def more_than_ok() -> str:
    """Return a saved comparison of two subjects: go2008, as in OK, and lib:jemalloc."""
    found = json.loads(result(100, subject="go2008"))
    found["subjects"] += json.loads(result(MIB, subject="lib:jemalloc"))["subjects"]
    return json.dumps(found)


@pytest.fixture(autouse=True)
def files(file: File) -> None:
    """Results to compare."""
    two = json.loads(result(MIB)) | {"events": 5, "touch": "page", "version": "9.9", "runs": 3}
    two["subjects"].append(two["subjects"][0] | {"subject": "x", "failure": "hung"})
    two["subjects"][0]["version"] = "2.36"
    for name, text in {
        "failed.json": ALL_FAILED,
        "none.json": NO_SUBJECTS,
        "ok.json": OK,
        "newer.json": OK.replace("profile/1", "profile/2"),
        "nan.json": OK.replace("100", "NaN"),
        "untimed.json": result(MIB, ns=None),
        "timed.json": result(MIB),
        "cpu.json": result(MIB).replace("comparison/1", "comparison/3"),
        "two.json": json.dumps(two),
        "more.json": more_than_ok(),
        "other.json": json.dumps(two | {"events": 7, "touch": "none"}),
        "trace.txt": TRACE,
    }.items():
        file(name, text)


REFUSED = {
    "base that failed": ("check ok.json --against failed.json", "all of its allocators failed"),
    "base that failed, of two": ("compare failed.json ok.json", "all of its allocators failed"),
    "base without subjects": ("check ok.json --against none.json", "it has no subjects"),
    "result without subjects": ("check none.json --max-footprint 1GiB", "it has no subjects"),
    "either without subjects": ("compare ok.json none.json", "it has no subjects"),
    "newer base": ("check ok.json --against newer.json", "found schema 'allocsim/profile/2'"),
    "newer result": ("check newer.json --max-ns 5", "found schema 'allocsim/profile/2'"),
    "base with NaN": ("check ok.json --against nan.json", "'at_peak.footprint' is nan"),
    "base without times": (
        "check timed.json --against untimed.json --time-tolerance 5%",
        "untimed.json has no times of lib:glibc: omit --time-tolerance",
    ),
    "base with times of another clock": (
        "check cpu.json --against timed.json --time-tolerance 5%",
        "timed.json has wall-clock times, cpu.json has CPU times: measure both",
    ),
    "tolerance without base": ("check ok.json --max-ns 5 --tolerance 1%", "needs --against"),
    "tolerance of a workload": ("compare trace.txt --tolerance 1%", "needs two results"),
    "result that is not measured": (
        "check ok.json --max-ns 5 --on tcmalloc",
        "--on needs a WORKLOAD, and does not apply to saved results",
    ),
    "timeout nan": ("compare trace.txt --timeout nan", "invalid time 'nan'"),
    "timeout inf": ("check trace.txt --max-ns 5 --timeout inf", "invalid time 'inf'"),
    "timeout of no time": ("check trace.txt --max-ns 5 --timeout soon", "invalid time 'soon'"),
    "limit nan": ("compare trace.txt --limit nan", "invalid size 'nan'"),
    "fragmentation nan": ("check ok.json --max-fragmentation nan%", "invalid percentage"),
    "tolerance nan": ("check ok.json --against ok.json --tolerance nan%", "invalid percentage"),
}


@pytest.mark.parametrize(("line", "message"), REFUSED.values(), ids=REFUSED)
def test_what_could_pass_by_accident_is_status_2(run: Run, line: str, message: str) -> None:
    ended = run(line)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err
    assert "\x1b" not in ended.err


def test_result_that_failed_fails_every_limit(run: Run) -> None:
    for line in ("check failed.json --max-footprint 1GiB", "check failed.json --against ok.json"):
        ended = run(line)
        assert ended.status == 1
        assert r"is unknown: crash \x1b[31m\n fake line" in ended.out
        assert "ok  " not in ended.out


def test_valid_result_is_read(run: Run) -> None:
    assert run("check ok.json --against ok.json --time-tolerance 1%").status == 0
    assert run("compare ok.json ok.json").status == 0


def test_memory_is_compared_whatever_the_clock_of_the_times(run: Run) -> None:
    assert run("check cpu.json --against timed.json").status == 0


def test_what_was_compared_is_stated(run: Run) -> None:
    ended = run("compare two.json two.json")
    first, second, *_ = ended.out.splitlines()
    assert first.startswith("base    two.json (")
    assert first.endswith("): 5 events, 3 timed runs, allocsim 9.9, lib:glibc 2.36, x")
    assert second == first.replace("base  ", "result")
    assert "note: not compared, because two.json has no figures for: x" in ended.err


def test_subject_of_the_baseline_that_was_not_measured_is_named(run: Run) -> None:
    ended = run("compare more.json ok.json")
    assert ended.status == 1
    assert "lib:jemalloc" in ended.out
    assert "is in the baseline but was not measured; add it to --on" in ended.out


def test_what_was_compared_is_in_the_json(run: Run) -> None:
    found = json.loads(run("compare two.json two.json --json").out)
    assert found["baseline"] == found["result"]
    assert found["result"]["file"] == "two.json"
    assert found["result"]["subjects"] == {"lib:glibc": "2.36", "x": None}
    assert json.loads(run("check ok.json --max-ns 5 --json").out)["baseline"] is None


def test_workload_that_is_measured_says_so(run: Run) -> None:
    ended = run("check trace.txt --on go2008 --against ok.json --tolerance 9999%")
    assert ended.status == 1, ended.err  # the baseline has only 100 bytes
    _, line, *_ = ended.out.splitlines()
    assert (
        line
        == f"result  measured now: trace.txt, 4 events, allocsim {allocsim.__version__}, go2008"
    )


def test_different_conditions_are_a_note(run: Run) -> None:
    err = run("compare two.json other.json").err
    assert "note: different numbers of events: two.json has 5, other.json has 7" in err
    assert "note: different --touch: two.json has page, other.json has none" in err
    assert "different" not in run("compare two.json two.json").err


@pytest.mark.parametrize("timeout", [-1, 0, float("nan"), float("inf"), "5", True, None])
def test_timeout_that_is_no_time_is_an_input_error(timeout: Any) -> None:
    with pytest.raises(InputError, match=r"compare: timeout is .*; expected 0.1 to 1,000,000 sec"):
        allocsim.compare({"kind": "random"}, on="go2008", timeout=timeout)
