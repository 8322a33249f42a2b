"""The program to record: its run, how it ended, and what its recording may not show."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from allocsim.errors import InputError
from allocsim.recorders.program import Outcome, Program, caveats, find_program, run_program

EXITED, KILLED = Outcome(1, 0, 0.5), Outcome(1, 139, 0.5)


def caveats_of(name: str, file: Path, recorder: str, outcome: Outcome = EXITED) -> list[str]:
    """The caveats of a recording of a program of that name."""
    return [*caveats(Program((name,), str(file)), recorder, outcome)]


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    """A program that is no script."""
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF")
    return path


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONMALLOC", raising=False)


def test_outcome_names_the_signal() -> None:
    assert Outcome(1, 128 + signal.SIGSEGV, 0).description == "was killed by SIGSEGV"
    assert Outcome(1, 3, 0).description == "exited with status 3"
    assert Outcome(1, 255, 0).description == "exited with status 255"


def test_program_runs_in_the_given_environment() -> None:
    program = find_program(["sh", "-c", 'exit "$WISH"'])
    assert run_program(program, {"WISH": "9"}).status == 9
    assert run_program(program, {"WISH": "9"}, ["sh", "-c", "exit 4"]).status == 4


def test_program_that_the_kernel_rejects_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "script").write_text("no first line that names an interpreter")
    (tmp_path / "script").chmod(0o700)
    with pytest.raises(InputError, match=r"cannot run '.*script': Exec format error"):
        run_program(find_program([str(tmp_path / "script")]), {})


def test_signal_that_comes_while_the_program_starts_is_forwarded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The program may already run when Popen has not returned yet."""
    start = subprocess.Popen

    def start_slowly(*arguments: Any, **options: Any) -> Any:
        child = start(*arguments, **options)
        os.kill(os.getpid(), signal.SIGTERM)
        return child

    monkeypatch.setattr(subprocess, "Popen", start_slowly)
    outcome = run_program(find_program(["sleep", "9999"]), {})
    assert outcome.description == "was killed by SIGTERM"


@pytest.mark.parametrize("recorder", ["lttng", "heaptrack", "mtrace", "memray"])
def test_ordinary_program_has_no_caveat(binary: Path, recorder: str) -> None:
    assert caveats_of("ls", binary, recorder) == []


def test_heaptrack_loses_the_last_calls_of_a_killed_program(binary: Path) -> None:
    (line,) = caveats_of("ls", binary, "heaptrack", KILLED)
    assert line.startswith("the last calls are missing")
    assert caveats_of("ls", binary, "lttng", KILLED) == []


@pytest.mark.parametrize("recorder", ["heaptrack", "mtrace"])
def test_script_may_exec_a_program_that_is_not_recorded(tmp_path: Path, recorder: str) -> None:
    script = tmp_path / "run.sh"
    script.write_text("#!/bin/sh\nexec true\n")
    (line,) = caveats_of("run.sh", script, recorder)
    assert line == f"if run.sh runs another program by exec, {recorder} does not record that one"
    assert caveats_of("run.sh", script, "lttng") == []


def test_env_may_exec_another_program(binary: Path) -> None:
    assert len(caveats_of("env", binary, "mtrace")) == 1


def test_unreadable_program_has_no_caveat(tmp_path: Path) -> None:
    assert caveats_of("gone", tmp_path / "gone", "mtrace") == []


def test_pools_of_python_are_a_caveat_unless_switched_off(
    binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = caveats_of("python3.11", binary, "lttng")
    assert "PYTHONMALLOC=malloc" in line
    assert caveats_of("python3", binary, "memray") == []
    monkeypatch.setenv("PYTHONMALLOC", "malloc_debug")
    assert caveats_of("python3", binary, "lttng") == []
