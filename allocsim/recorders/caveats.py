"""Sentences for the user about calls that a recording may miss or has missed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from allocsim.recorders.base import Recorder, Request
from allocsim.recorders.compiler import why_no_compiler
from allocsim.recorders.guard import UNGUARDED, read_page
from allocsim.recorders.program import Outcome, Program

EXEC_WRAPPERS = ("env", "nice", "nohup", "setsid", "stdbuf", "time", "timeout")
"""Programs that replace themselves with another program by exec."""

MAX_NAMED = 5
"""Maximum number of processes that a sentence names."""


def caveats_before(request: Request, recorder: Recorder) -> Iterator[str]:
    """Yield a sentence about each kind of calls that a recording of this program may miss."""
    program = request.program
    if recorder.is_guarded and why_no_compiler():
        yield UNGUARDED
    if not recorder.follows_exec and _may_exec(program):
        yield (
            f"if {program.name} runs another program by exec, {recorder.name} does not record the "
            "other program"
        )
    elif drops_environment(program):
        yield f"{program.name} removes LD_PRELOAD, so the program that it runs is not recorded"
    is_python = program.name.startswith("python")
    if is_python and not recorder.sees_python_objects and not _pools_are_off():
        yield (
            "Python allocates small objects in its own pools; set PYTHONMALLOC=malloc to record "
            "those objects too"
        )


def losses_after(recorder: Recorder, directory: Path, outcome: Outcome) -> list[str]:
    """Return a sentence on each kind of calls that the finished recording is known to lack."""
    losses = recorder.losses(directory, outcome)
    ended_early = "was killed" if outcome.was_killed else "ended by _exit"
    if not recorder.keeps_last_calls and (outcome.was_killed or read_page(directory).early_exits):
        losses.append(
            f"the last calls are missing: {recorder.name}'s buffer was lost when the program "
            f"{ended_early}"
        )
    return losses


def leftover_note(directory: Path) -> str | None:
    """Return a sentence about the processes that outlive the program, or None if all have ended.

    These processes inherited the program's environment, which contains the name of the work
    directory, so they are found by this name.
    """
    processes = leftover_processes(directory)
    if not processes:
        return None
    named = ", ".join(map(str, processes[:MAX_NAMED])) + (
        ", …" if len(processes) > MAX_NAMED else ""
    )
    return (
        f"processes that the program started were still running when it ended (PID {named}): "
        "their later calls are not recorded"
    )


def leftover_processes(directory: Path) -> list[int]:
    """Return the running processes whose environment contains the name of the work directory."""
    return sorted(_processes_with(os.fsencode(directory)))


def drops_environment(program: Program) -> bool:
    """Return whether the command is `env -i` or the like, which removes LD_PRELOAD."""
    options = ("-i", "-", "--ignore-environment", "-uLD_PRELOAD", "--unset=LD_PRELOAD")
    return program.name == "env" and any(word in options for word in program.arguments[1:])


def _processes_with(text: bytes) -> Iterator[int]:
    """Yield the processes whose environment contains `text`."""
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            if text in (directory / "environ").read_bytes():
                yield int(directory.name)
        except OSError:
            continue


def _may_exec(program: Program) -> bool:
    """Return whether the program is a script or one of EXEC_WRAPPERS."""
    try:
        with Path(program.file).open("rb") as file:
            return program.name in EXEC_WRAPPERS or file.read(2) == b"#!"
    except OSError:
        return False


def _pools_are_off() -> bool:
    """Return whether PYTHONMALLOC makes Python allocate every object with malloc."""
    return os.environ.get("PYTHONMALLOC", "").startswith("malloc")
