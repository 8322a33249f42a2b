"""Tools that allocsim runs: their output, and their end when a signal ends allocsim."""

import re
import subprocess
import time
from pathlib import Path

import pytest

import allocsim
from allocsim.signals import MESSAGES
from allocsim.tool_run import run_tool
from tests.cli.running import ENVIRONMENT, PATIENCE, default_signals, has_not_ended
from tests.test_python_child import python

PACKAGE = Path(allocsim.__file__).parent

STARTERS = {
    "python_child.py",
    "recorders/lttng_daemon.py",  # the daemon needs time to end its consumers
    "recorders/program.py",  # signals are forwarded to the recorded program
}
"""The only modules that start processes. Each has tests in which a signal ends its processes."""


def test_tool_gets_its_input_and_returns_its_output() -> None:
    ended = run_tool(["sh", "-c", "cat; echo $A >&2; exit 3"], {"A": "b"}, b"text")
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, b"text", b"b\n")


def test_tool_that_takes_too_long_is_killed() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_tool(["sleep", str(PATIENCE)], seconds=0)


def test_processes_are_started_only_where_a_signal_ends_them() -> None:
    starting = re.compile(
        r"subprocess\.(Popen\(|run\(|call\(|check_)|os\.(popen|spawn|posix_spawn)"
    )
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if starting.search(path.read_text("utf-8"))
    }
    assert found == STARTERS


def test_temporary_files_are_made_only_where_a_signal_removes_them() -> None:
    """A TemporaryFile has no name, so it needs no removal."""
    making = re.compile(r"NamedTemporaryFile|TemporaryDirectory|mkdtemp|mkstemp")
    assert [path for path in PACKAGE.rglob("*.py") if making.search(path.read_text("utf-8"))] == []


WAITING = """
from allocsim.signals import handle_signals
from allocsim.temporary_directory import temporary_directory
from allocsim.tool_run import run_tool
handle_signals()
with temporary_directory() as directory:
    (directory / "file").touch()
    run_tool(["sh", "-c", "sleep 900 & echo $$ $! > written; mv written processes; wait"])
"""
"""A program with a temporary directory and a tool. The tool writes its own process id and that of
its child to the file `processes`."""


@pytest.mark.parametrize("number", MESSAGES)
def test_signal_ends_the_tool_and_removes_the_directory(tmp_path: Path, number: int) -> None:
    temporary, processes = tmp_path / "temporary", tmp_path / "processes"
    temporary.mkdir()
    child = subprocess.Popen(
        python(WAITING),
        cwd=tmp_path,
        env={**ENVIRONMENT, "TMPDIR": str(temporary)},
        stderr=subprocess.PIPE,
        preexec_fn=default_signals,
    )
    while not processes.exists() and child.poll() is None:
        time.sleep(0.01)
    child.send_signal(number)
    _, errors = child.communicate(timeout=PATIENCE)
    assert child.returncode == 128 + number, errors
    tool, grandchild = processes.read_text().split()
    assert not has_not_ended(tool)
    while has_not_ended(grandchild):  # killed, but allocsim waits only for the tool
        time.sleep(0.01)
    assert [*temporary.iterdir()] == []
