"""How `compare` and `check` read the workload that they measure."""

import pytest

from tests.cli.conftest import File, Run

TWO = "1 1 malloc(1)=0x10\n2 2 malloc(2)=0x10\n2 2 free(0x10)\n"
"""Firefox's log of two processes."""


def test_format_and_process_of_a_recording_are_chosen(run: Run, file: File) -> None:
    file("two.txt", TWO)
    ended = run("check two.txt --format logalloc --process 2 --max-footprint 1GiB --on go2008")
    assert ended.status == 0, ended.err
    assert "only the calls of process 2 are taken" in ended.err


@pytest.mark.parametrize("line", ["compare {} --on go2008", "check {} --max-footprint 1GiB"])
def test_wrong_way_to_read_is_2(run: Run, file: File, line: str) -> None:
    file("two.txt", TWO)
    unknown = run(f"{line.format('two.txt')} --format valgrin")
    assert (unknown.status, unknown.out) == (2, "")
    assert "did you mean 'valgrind'" in unknown.err
    job = run(f"{line.format('server')} --process 2")
    assert (job.status, job.out) == (2, "")
    assert "'server' is no recording: leave --format and --process out" in job.err
