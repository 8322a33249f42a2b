"""`allocsim trace check`: several formats are read, and missing calls are reported."""

import gzip
import json
from pathlib import Path

import pytest

from tests.cli.conftest import File, Run, info

CASES = Path(__file__).parents[1] / "traces" / "cases"

INVALID = {
    "cutsize.txt": "line 2, the last, has no newline and may be cut off, so it was dropped: "
    "'1: malloc 0x20 104'",
    "ltf.txt": "the heaps of several processes are mixed: 27632 (304 calls), 27633 (110 "
    "calls); select one with --process PID",
}
"""Recordings, each with the reason why it is not valid."""


@pytest.mark.parametrize(("name", "reason"), INVALID.items(), ids=INVALID)
def test_recording_that_lacks_calls_is_not_valid(run: Run, name: str, reason: str) -> None:
    ended = run(f"trace check {CASES / name}")
    problem = f"the recording is incomplete: {reason}"
    assert ended.status == 1
    assert f"{name} is not valid: {problem} " in " ".join(ended.out.split())
    assert ended.err == f"allocsim: error: {CASES / name} is not valid: {problem}\n"
    found = info(run, str(CASES / name))
    assert (found["problems"], found["losses"]) == ([problem], [reason])


def test_converted_trace_is_as_invalid_as_its_recording(run: Run) -> None:
    assert run(f"trace convert {CASES / 'cutsize.txt'} cut.allocsim").status == 0
    assert run(f"trace cut {CASES / 'cutsize.txt'} part.allocsim").status == 0
    for name in ("cut.allocsim", "part.allocsim"):
        ended = run(f"trace check {name}")
        assert (ended.status, "has no newline" in ended.out) == (1, True)


def test_log_of_a_malloc_hook_is_read(run: Run) -> None:
    """The log has no result ("= VALUE") in the lines of free()."""
    found = info(run, str(CASES / "diy-log.txt"))
    assert (found["allocations"], found["frees"]) == (100, 100)
    assert found["live_at_end"] == {"objects": 0, "bytes": 0}
    assert run(f"trace check {CASES / 'diy-log.txt'} --strict").status == 0


def test_recording_of_android_with_times_is_read(run: Run) -> None:
    found = info(run, str(CASES / "aosp-times.txt"))
    assert (found["events"], found["peak_live"]) == (6, 4552)
    assert found["live_at_end"] == {"objects": 1, "bytes": 200}
    assert isinstance(found["operations"], dict)
    assert found["operations"]["thread_done"] == 1


def test_process_of_ltrace_can_be_chosen(run: Run) -> None:
    ended = run(f"trace check {CASES / 'ltf.txt'} --process 27632")
    assert (ended.status, ended.out.splitlines()[0].endswith("is valid: 304 events, 1 thread")) == (
        0,
        True,
    )


@pytest.mark.parametrize(("name", "events", "threads"), [("ltx", 6, 1), ("lt_old_threads", 4, 2)])
def test_older_ltrace_is_not_taken_for_firefox(
    run: Run, name: str, events: int, threads: int
) -> None:
    found = info(run, str(CASES / f"{name}.txt"))
    assert (found["format"], found["events"], found["threads"]) == ("ltrace", events, threads)
    assert run(f"trace check {CASES / name}.txt").status == 0


LINES = "".join(f"1: malloc {16 * i:#x} 8\n1: free {16 * i:#x}\n" for i in range(1, 51))


@pytest.mark.parametrize(("unknown", "status"), [(1, 0), (5, 0), (6, 1), (14_705, 1)])
def test_share_of_frees_of_unknown_objects_decides(
    run: Run, file: File, unknown: int, status: int
) -> None:
    file("mine.txt", LINES + "1: free 0x99990\n" * unknown)
    ended = run("trace check mine.txt")
    assert ended.status == status
    if status:
        share = f"{unknown:,} of {100 + unknown:,} calls ({unknown / (100 + unknown):.1%}) are lost"
        assert share in ended.err
        assert "free of unknown" in json.dumps(info(run, "mine.txt")["problems"])


def test_truncated_container_is_not_valid(run: Run) -> None:
    Path("cut.gz").write_bytes(gzip.compress(LINES.encode())[:-8])
    ended = run("trace check cut.gz")
    assert ended.status == 1
    assert "the compressed file ends early; its content up to there was read" in ended.err
    assert "the recording is incomplete: the compressed file ends early" in run("replay cut.gz").err
