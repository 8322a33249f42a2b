"""A trace with an object larger than any machine's memory ends with status 3 and a message."""

from pathlib import Path

import pytest

import allocsim
from allocsim.errors import EnvironmentLacks, OutOfMemory
from tests.cli.conftest import File, Run
from tests.compiled_libraries import Compiler

HUGE = 1 << 44
"""16 TiB."""

RESERVE = "--reserve 32TiB"

JOB = """
kind = "phases"

[[phase]]
allocate = 9
size = {{distribution = "fixed", bytes = {size}}}
free = 0.0
"""


@pytest.fixture
def huge(file: File) -> Path:
    """A recording of one call."""
    return file("huge.txt", f"1: malloc 0xb0 {HUGE}\n")


@pytest.mark.parametrize("design", ["go2008", "tcmalloc"])
@pytest.mark.parametrize("touch", ["none", "page"])
def test_replay_ends_with_3(run: Run, huge: Path, design: str, touch: str) -> None:
    ended = run(f"replay {huge} --design {design} --touch {touch} {RESERVE}")
    assert (ended.status, ended.out) == (3, "")
    assert ended.err.startswith(
        f"allocsim: error: event 1 (object 0, thread 0, {HUGE:,} bytes) needs more than the "
    )
    assert "that a run may use, 75% of the available memory; use --limit" in ended.err
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    "line",
    [
        "random --ops 9 --slots 1 --sizes fixed --max-size 4GiB --limit 1GiB",
        f"compare huge.txt --on go2008 {RESERVE} --limit 1GiB",
        f"repeat --size {HUGE} {RESERVE}",
        f"replay huge.txt {RESERVE} --limit 1GiB",
    ],
)
def test_every_driver_stops_before_it_writes(run: Run, huge: Path, line: str) -> None:
    ended = run(line)
    assert ended.status == (1 if "--limit" in line and "compare" not in line else 3)
    assert ("the limit of 1.0 GiB" if "--limit" in line else "that a run may use") in ended.err


def test_comparison_has_no_row_and_ends_with_3(run: Run, huge: Path, odd_library: Compiler) -> None:
    library = odd_library("nothing")
    ended = run(f"compare {huge} --on go2008,lib:{library}:odd_ {RESERVE}")
    assert (ended.status, ended.out) == (3, "")
    assert ended.err.count("; the limit is the ") == 2
    assert ended.err.count("that a run may use, 75% of the available memory") == 2
    assert ended.err.count("\n") == 1


def test_functions_raise_the_errors_of_the_commands(huge: Path) -> None:
    with pytest.raises(OutOfMemory, match="that a run may use"):
        allocsim.replay(str(huge), reserve="32TiB")
    with pytest.raises(EnvironmentLacks, match="that a run may use"):
        allocsim.compare(str(huge), ["go2008"], reserve="32TiB")


def test_job_ends_with_3(run: Run, file: File) -> None:
    file("huge.toml", JOB.format(size=HUGE))
    ended = run(f"run huge.toml {RESERVE}")
    assert ended.status == 3, ended.err
    assert "that a run may use" in ended.err
