"""Reading the workload that `compare` and `check` measure."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run, require_way_to_read


def test_format_and_process_of_a_recording_are_chosen(run: Run, two: Path) -> None:
    ended = run("check two.txt --format logalloc --process 2 --max-footprint 1GiB --on go2008")
    assert ended.status == 0, ended.err
    assert "using process 2 only" in ended.err


@pytest.mark.parametrize("line", ["compare {} --on go2008", "check {} --max-footprint 1GiB"])
def test_wrong_format_or_process_is_2(run: Run, two: Path, line: str) -> None:
    require_way_to_read(run, line)
