"""`allocsim tune`: options, output, errors, and the tables that it writes."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from tests.cli.conftest import File, Run
from tests.cli.running import interrupted

SMALL = "".join(f"1: malloc {address:#x} {size}\n" for address, size in ((16, 64), (256, 1100)))
"""A recording of two allocations."""

MINE = "tune mine.txt --design tcmalloc --reserve 256MiB"


@pytest.fixture(autouse=True)
def recording(file: File) -> Path:
    """The recording as mine.txt in the empty directory."""
    return file("mine.txt", SMALL)


def test_report_says_for_this_program(run: Run) -> None:
    ended = run(MINE)
    assert ended.status == 0, ended.err
    assert "size classes instead of 85, for mine.txt" in ended.out
    assert "The table suits this program" in ended.out
    assert "Not recommended:" in ended.out
    assert ended.err == ""


def test_table_that_is_written_can_be_set(run: Run) -> None:
    ended = run(f"{MINE} --out table.json --json --hold-back mine.txt --scale 2")
    assert (ended.status, ended.err) == (0, "wrote table.json\n")
    found = json.loads(ended.out)
    sizes = [each["size"] for each in found["classes"]]
    assert sizes == [each["size"] for each in json.loads(Path("table.json").read_text())["classes"]]
    assert [each["name"] for each in found["held_back"]] == ["2 x mine.txt"]
    assert found["workloads"][0]["peak_live"] == 2 * (64 + 1100)
    shown = run("sizeclass-check --design tcmalloc --set size_classes=table.json --json")
    assert [each["object_size"] for each in json.loads(shown.out)["classes"]] == sizes
    replayed = run("replay mine.txt --design tcmalloc --set size_classes=table.json --json")
    assert json.loads(replayed.out)["parameters"]["size_classes"] == ",".join(map(str, sizes))


@pytest.mark.parametrize("floor", ["none", "30%"])
def test_floor_limits_the_rounding_of_every_class(run: Run, floor: str) -> None:
    found = json.loads(run(f"{MINE} --json --floor {floor}").out)
    sizes = [each["size"] for each in found["classes"]]
    worst = max((b - a - 1) / b for a, b in pairwise(sizes) if b > 64)
    assert (worst <= 0.3) == (floor == "30%")


def test_search_is_reported_with_its_seed(run: Run) -> None:
    found = json.loads(run(f"{MINE} --json --time 0.2 --seed 7").out)
    assert found["search"]["seed"] == 7
    assert found["search"]["replays"] > 0
    assert not found["search"]["interrupted"]


@pytest.mark.parametrize(
    ("design", "start"),
    [("tcmalloc", "  // Replaces the loop"), ("go", "\t// Replaces both loops")],
)
def test_source_is_that_of_the_original(run: Run, design: str, start: str) -> None:
    ended = run(f"tune mine.txt --design {design} --reserve 256MiB --source --threads one")
    assert ended.status == 0, ended.err
    assert ended.out.startswith(start)


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        ("tune --design tcmalloc", 2, "Missing argument 'WORKLOAD...'"),
        ("tune mine.txt", 2, "Missing option '--design'"),
        (f"{MINE} --json --source", 2, "use either --source or --json, not both"),
        (f"{MINE} --out nowhere/table.json", 2, "no such directory"),
        (f"{MINE} --floor 1%", 2, "the limit of --floor; use a larger"),
        (f"{MINE} --floor 25", 2, "25"),
        (f"{MINE} --set size_classes=own", 2, "tune finds a table itself"),
        (f"{MINE} --set startup=linked", 2, "startup=linked: expected one of"),
        (f"{MINE} --hold-back nosuch", 2, "nosuch"),
        ("tune mine.txt --design go2008", 2, "a formula maps sizes to classes"),
        ("tune mine.txt --design glibc", 2, "the design has no table of size classes"),
        ("tune mine.txt --design lib:glibc", 2, "lib:glibc"),
        ("tune empty.txt --design tcmalloc", 2, "there is nothing to tune for"),
    ],
)
def test_errors_are_one_sentence(
    run: Run, file: File, line: str, status: int, message: str
) -> None:
    file("empty.txt", "1: malloc 0x10 0\n1: free 0x10\n")
    ended = run(line)
    assert (ended.status, ended.out) == (status, "")
    assert message in ended.err
    assert not Path("table.json").exists()


def test_interrupted_search_keeps_the_best_table_so_far(recording: Path) -> None:
    """Interrupt when the terminal shows the search. The search would take ten minutes."""
    arguments = [*MINE.split(), "--json", "--time", "600"]
    status, out, shown = interrupted(arguments, b"replays; best table", recording.parent)
    assert status == 0, shown
    assert b"ending the search with the best table so far" in shown
    found = json.loads(out)
    assert found["search"]["interrupted"]
    assert found["classes"]


def test_compare_and_check_take_a_table(run: Run, file: File) -> None:
    file("table.json", '{"classes": [{"size": 16}, {"size": 64}, {"size": 262144}]}')
    subject = "tcmalloc:size_classes=table.json"
    checked = run(f"check mine.txt --on {subject} --max-footprint 1KiB")
    assert checked.status == 1, checked.err
    assert subject in checked.out
    ended = run("check mine.txt --on tcmalloc:size_classes=nowhere.json --max-footprint 1KiB")
    assert (ended.status, ended.out) == (2, "")
    assert "nowhere.json: No such file" in ended.err
