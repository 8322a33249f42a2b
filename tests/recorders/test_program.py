"""Running the program to record, and describing how it ended."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from allocsim.errors import InputError
from allocsim.recorders.program import Outcome, find_program, run_program


def test_outcome_names_the_signal() -> None:
    assert Outcome(1, 128 + signal.SIGSEGV, 0).description == "was killed by SIGSEGV"
    assert Outcome(1, 3, 0).description == "exited with status 3"
    assert Outcome(1, 255, 0).description == "exited with status 255"


def test_program_runs_in_the_given_environment() -> None:
    program = find_program(["sh", "-c", 'exit "$WISH"'])
    assert run_program(program, {"WISH": "9"}).status == 9
    assert run_program(program, {"WISH": "9"}, arguments=["sh", "-c", "exit 4"]).status == 4


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
        """Start the program, and send SIGTERM before Popen returns."""
        child = start(*arguments, **options)
        os.kill(os.getpid(), signal.SIGTERM)
        return child

    monkeypatch.setattr(subprocess, "Popen", start_slowly)
    outcome = run_program(find_program(["sleep", "9999"]), {})
    assert outcome.description == "was killed by SIGTERM"
