"""Calls that a recording may lack: warnings before the program runs and after it has ended."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from allocsim.recorders import RECORDERS
from allocsim.recorders.base import Recorder, Request
from allocsim.recorders.caveats import caveats_before, leftover_note, losses_after
from allocsim.recorders.program import Outcome, Program
from tests.recorders.fakes import fake

EXITED, KILLED = Outcome(1, 0, 0.5), Outcome(1, 139, 0.5)

KNOWN = {recorder.name: replace(recorder, is_guarded=False) for recorder in RECORDERS}


def caveats_of(name: str, file: Path, recorder: Recorder, *arguments: str) -> list[str]:
    """Return the caveats before the recording of a program with this name."""
    return [*caveats_before(Request(Program((name, *arguments), str(file))), recorder)]


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    """A program that is no script."""
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF")
    return path


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONMALLOC", raising=False)


@pytest.mark.parametrize("name", KNOWN)
def test_ordinary_program_has_no_caveat(binary: Path, name: str) -> None:
    assert caveats_of("ls", binary, KNOWN[name]) == []


@pytest.mark.parametrize("name", ["heaptrack", "mtrace"])
def test_script_may_exec_a_program_that_is_not_recorded(tmp_path: Path, name: str) -> None:
    script = tmp_path / "run.sh"
    script.write_text("#!/bin/sh\nexec true\n")
    (line,) = caveats_of("run.sh", script, KNOWN[name])
    assert (
        line == f"if run.sh runs another program by exec, {name} does not record the other program"
    )
    assert caveats_of("run.sh", script, KNOWN["lttng"]) == []


def test_env_may_exec_another_program(binary: Path) -> None:
    assert len(caveats_of("env", binary, KNOWN["mtrace"])) == 1


def test_env_that_empties_the_environment_is_a_caveat_of_every_preloaded_recorder(
    binary: Path,
) -> None:
    (line,) = caveats_of("env", binary, KNOWN["lttng"], "-i", "true")
    assert line == "env removes LD_PRELOAD, so the program that it runs is not recorded"
    assert caveats_of("env", binary, KNOWN["lttng"], "A=1", "true") == []


def test_unreadable_program_has_no_caveat(tmp_path: Path) -> None:
    assert caveats_of("gone", tmp_path / "gone", KNOWN["mtrace"]) == []


def test_pools_of_python_are_a_caveat_unless_switched_off(
    binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = caveats_of("python3.11", binary, KNOWN["lttng"])
    assert "PYTHONMALLOC=malloc" in line
    assert caveats_of("python3", binary, KNOWN["memray"]) == []
    monkeypatch.setenv("PYTHONMALLOC", "malloc_debug")
    assert caveats_of("python3", binary, KNOWN["lttng"]) == []


def test_guard_without_a_compiler_is_a_caveat(
    binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allocsim.recorders.caveats.why_no_compiler", lambda: "none")
    (line,) = caveats_of("ls", binary, fake("a", is_guarded=True))
    assert line.startswith("no C compiler is installed, so the recorder is not guarded")


def test_recorder_with_a_buffer_loses_the_last_calls_of_a_killed_program(tmp_path: Path) -> None:
    (line,) = losses_after(fake("a", keeps_last_calls=False), tmp_path, KILLED)
    assert line == "the last calls are missing: a's buffer was lost when the program was killed"
    assert losses_after(fake("a", keeps_last_calls=False), tmp_path, EXITED) == []
    assert losses_after(fake("a"), tmp_path, KILLED) == []


def test_process_that_outlives_the_program_is_named(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "9999"], env={"ANY": f"{tmp_path}/x"}) as child:
        note = leftover_note(tmp_path)
        child.kill()
    assert note is not None
    assert f"still running when it ended (PID {child.pid})" in note
    assert leftover_note(tmp_path / "other") is None
