"""Programs that run only to be measured: streams, time limit and leftover processes."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from allocsim.errors import InputError
from allocsim.recorders.program import find_program
from allocsim.recorders.quiet_run import QuietRuns, TimedOut
from tests.cli.running import has_not_ended


def quiet(timeout: float = 60.0, shows_output: bool = False) -> QuietRuns:
    """Return runs with this time limit in seconds."""
    return QuietRuns(os.environ, timeout, shows_output)


@pytest.fixture
def file_as_input(tmp_path: Path) -> Iterator[None]:
    """Standard input is a file of two lines, of which one has been read."""
    path = tmp_path / "input"
    path.write_text("read\nrest\n")
    kept, file = os.dup(0), os.open(path, os.O_RDONLY)
    os.lseek(file, len("read\n"), os.SEEK_SET)
    os.dup2(file, 0)
    yield
    os.dup2(kept, 0)
    os.close(kept)
    os.close(file)


def test_output_is_hidden_or_goes_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    program = find_program(["sh", "-c", "echo out; echo err >&2"])
    assert quiet().run(program, {}).status == 0
    assert capfd.readouterr() == ("", "")
    quiet(shows_output=True).run(program, {})
    assert capfd.readouterr() == ("", "out\nerr\n")


@pytest.mark.usefixtures("file_as_input")
def test_every_run_reads_the_input_from_the_same_position() -> None:
    program, runs = find_program(["sh", "-c", 'read line; test "$line" = rest']), quiet()
    assert [runs.run(program, {}).status for _ in range(2)] == [0, 0]


def test_input_that_is_no_file_is_empty() -> None:
    runs = QuietRuns(os.environ, 60.0, input_position=None)
    assert runs.run(find_program(["sh", "-c", "! read line"]), {}).status == 0


def test_program_runs_in_the_environment_of_the_runs() -> None:
    runs = QuietRuns({"PATH": os.environ["PATH"], "A": "1"}, 60.0)
    program = find_program(["sh", "-c", 'exit "$A$B"'])
    assert runs.run(program, {"B": "2"}).status == 12


def test_status_of_a_killed_program_is_that_of_a_shell() -> None:
    outcome = quiet().run(find_program(["sh", "-c", "kill -9 $$"]), {})
    assert outcome.description == "was killed by SIGKILL"


def test_program_that_takes_too_long_is_killed_with_its_children(tmp_path: Path) -> None:
    child = tmp_path / "child"
    program = find_program(["sh", "-c", f"sleep 1000 & echo $! > {child}; wait"])
    with pytest.raises(TimedOut, match=r"sh was killed after 1 s \(--timeout\)"):
        quiet(1.0).run(program, {})
    while has_not_ended(child.read_text().strip()):
        time.sleep(0.01)


def test_program_that_the_kernel_rejects_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("no first line that names an interpreter")
    (tmp_path / "script").chmod(0o700)
    with pytest.raises(InputError, match=r"cannot run '.*script': Exec format error"):
        quiet().run(find_program([str(tmp_path / "script")]), {})
