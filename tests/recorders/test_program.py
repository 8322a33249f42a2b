"""What is said of a recording besides: only where it may be so."""

from pathlib import Path

import pytest

from allocsim.recorders.program import Ended, Program, advice_on

WELL, KILLED = Ended(1, 0, 0.5), Ended(1, 139, 0.5)


def told(name: str, file: Path, recorder: str, ended: Ended = WELL) -> list[str]:
    """The advice on a program of that name."""
    return [*advice_on(Program((name,), str(file)), recorder, ended)]


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    """A program that is no script."""
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF")
    return path


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONMALLOC", raising=False)


@pytest.mark.parametrize("recorder", ["lttng", "heaptrack", "mtrace", "memray"])
def test_usual_program_needs_no_word(binary: Path, recorder: str) -> None:
    assert told("ls", binary, recorder) == []


def test_heaptrack_loses_the_end_of_a_program_that_is_killed(binary: Path) -> None:
    (line,) = told("ls", binary, "heaptrack", KILLED)
    assert "last calls are missing" in line
    assert told("ls", binary, "lttng", KILLED) == []


@pytest.mark.parametrize("recorder", ["heaptrack", "mtrace"])
def test_program_that_may_become_another_is_named(tmp_path: Path, recorder: str) -> None:
    script = tmp_path / "run.sh"
    script.write_text("#!/bin/sh\nexec true\n")
    (line,) = told("run.sh", script, recorder)
    assert f"should run.sh become another program (exec), {recorder} sees none of that" == line
    assert told("run.sh", script, "lttng") == []


def test_env_may_become_another_program(binary: Path) -> None:
    assert len(told("env", binary, "mtrace")) == 1


def test_program_that_cannot_be_read_is_no_error(tmp_path: Path) -> None:
    assert told("gone", tmp_path / "gone", "mtrace") == []


def test_pools_of_python_are_told_unless_it_uses_none(
    binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = told("python3.11", binary, "lttng")
    assert "PYTHONMALLOC=malloc" in line
    assert told("python3", binary, "memray") == []
    monkeypatch.setenv("PYTHONMALLOC", "malloc_debug")
    assert told("python3", binary, "lttng") == []
