"""`allocsim check`: limits on a saved result or on a workload that is measured first."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.test_compare import TRACE, result
from tests.conftest import REPOSITORY
from tests.reports.comparisons import MIB
from tests.reports.documented import section, undocumented

Write = Callable[[str, str], Path]


@pytest.fixture(autouse=True)
def files(file: Write) -> None:
    """Three saved results, one of them without times, and a recording."""
    file("a.json", result(100 * MIB))
    file("b.json", result(104 * MIB))
    file("untimed.json", result(MIB, ns=None))
    file("trace.txt", TRACE)


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        ("a.json --max-footprint 100MiB", 0, "ok      lib:glibc: peak footprint 100.0 MiB"),
        (
            "a.json --max-footprint 64MiB",
            1,
            "64.0 MiB: exceeded by 36.0 MiB (56.2%)",
        ),
        ("a.json --max-fragmentation 50%", 0, "fragmentation at the peak 50.0%"),
        ("a.json --max-fragmentation 25%", 1, "--max-fragmentation 25.0%: exceeded by 25.00"),
        ("a.json --max-ns 10", 0, "time 10.0 ns/event"),
        ("a.json --max-ns 8ns", 1, "--max-ns 8.0 ns/event: exceeded by 2.0 ns/event (25.0%)"),
        ("untimed.json --max-ns 8", 1, "time is unknown: it was not measured"),
        (
            "b.json --against a.json",
            1,
            "regression beyond the tolerance of 3.0%, by 1.0 MiB",
        ),
        ("b.json --against a.json --tolerance 5%", 0, "100.0 MiB -> 104.0 MiB (+4.0%)"),
        ("a.json --against b.json", 0, "104.0 MiB -> 100.0 MiB (-3.8%)"),
    ],
)
def test_each_limit_is_named_with_its_figure(
    run: Run, arguments: str, status: int, text: str
) -> None:
    ended = run(f"check {arguments}")
    assert (ended.status, text in ended.out) == (status, True), ended
    assert (" failed" in ended.err) == (status == 1)


def test_every_limit_is_reported(run: Run) -> None:
    ended = run("check a.json --max-footprint 1MiB --max-ns 1 --max-fragmentation 90%")
    assert ended.out.count("FAILED") == 2
    assert ended.out.count("ok  ") == 1
    assert "2 of 3 checks failed" in ended.err


def test_workload_is_measured_and_checked(run: Run) -> None:
    kept = run("check trace.txt --on lib:glibc --max-footprint 8MiB --max-fragmentation 100%")
    assert kept.status == 0, kept.err
    broken = run("check trace.txt --on lib:glibc --max-footprint 100KiB")
    assert broken.status == 1
    assert "--max-footprint 100.0 KiB: exceeded by" in broken.out


@pytest.mark.parametrize(("name", "design"), [("trace.txt", "glibc"), ("mine.toml", "go2008")])
def test_default_design_is_named_in_a_note(run: Run, file: Write, name: str, design: str) -> None:
    file("mine.toml", 'kind = "pipeline"\nops = 20\n')
    ended = run(f"check {name} --max-footprint 64MiB")
    assert f"note: measured on {design}; --on selects other allocators" in ended.err.splitlines()
    assert ended.out.startswith(f"ok      {design}: peak footprint ")


def test_page_on_the_json_names_every_field(run: Run) -> None:
    found = json.loads(run("check b.json --against a.json --json").out)
    assert found["findings"]
    assert found["baseline"]
    page = (REPOSITORY / "docs/report-schemas.md").read_text("utf-8")
    assert undocumented(found, page) == set()
    assert section(page, f"`{found['schema']}`")


def test_findings_as_json(run: Run) -> None:
    ended = run("check b.json --max-footprint 100MiB --json")
    assert ended.status == 1
    found = json.loads(ended.out)
    assert (found["schema"], found["passed"]) == ("allocsim/check/1", False)
    [finding] = found["findings"]
    assert finding["figure"] == 104 * MIB
    assert finding["bound"] == 100 * MIB
    assert finding["limit"] == "--max-footprint"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("a.json", "nothing to check"),
        ("a.json --max-fragmentation 25", "invalid percentage '25'"),
        ("a.json --max-fragmentation 125%", "'125%' is too large; expected at most 100%"),
        ("a.json --max-footprint 64MB2", "invalid size"),
        ("a.json --max-ns -5", "invalid time"),
        ("a.json --max-ns 0", "invalid time"),
        ("a.json --max-ns nan", "invalid time"),
        ("gone.json --max-ns 5", "gone.json: No such file"),
        ("a.json --against gone.json", "gone.json: No such file"),
        ("gone.txt --max-ns 5", "gone.txt"),
        ("trace.txt --max-ns 5 --on nothing", "unknown subject 'nothing'"),
    ],
)
def test_wrong_usage_is_status_2(run: Run, arguments: str, message: str) -> None:
    ended = run(f"check {arguments}")
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err


def test_missing_library_is_status_3_when_it_is_the_only_subject(run: Run) -> None:
    ended = run("check trace.txt --on lib:/gone/libx.so --max-ns 5")
    assert ended.status == 3
