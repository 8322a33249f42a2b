"""Workloads by the name that a user gives: a recording, a job file, or one that is shipped.

Above jobs and traces; below the commands, and whatever else takes a WORKLOAD. Its one rule: a name
means the same in every command, and whoever needs a stream a second time opens it a second time.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from allocsim.errors import InputError, UnknownName
from allocsim.events import Trace
from allocsim.jobs import find_job, find_trace, read_job, shipped_jobs, shipped_traces
from allocsim.text import printable
from allocsim.traces import open_trace


def open_workload(
    name: str, seed: int | None = None, form: str | None = None, process: int | None = None
) -> Trace:
    """The stream of a trace file, '-', a shipped trace, a job file (.toml), or a shipped job.

    `form` and `process` are those of `open_trace`.
    """
    if _is_job(name):
        if form is not None or process is not None:
            raise InputError(f"'{name}' is no recording: leave --format and --process out")
        return open_job(name, seed)
    if seed is not None:
        raise InputError(f"'{name}' is a recording, which has no seed: leave --seed out")
    if not _is_path(name) and name not in shipped_traces():
        raise UnknownName("workload", name, [*_jobs(), *shipped_traces()], "or a file")
    return open_recording(name, form, process)


def open_job(name: str, seed: int | None = None) -> Trace:
    """The stream of a job file or a shipped job, under its own seed or another."""
    job = name.endswith(".toml") or "/" in name or name in [job.stem for job in shipped_jobs()]
    if name in shipped_traces() or (not job and _is_path(name)):
        raise InputError(
            f"'{name}' is no job file (.toml): a recording is for `allocsim replay {name}`"
        )
    generator = read_job(find_job(name))
    if seed is not None:
        generator = msgspec.structs.replace(generator, seed=seed)
    return generator.trace(printable(name))


def open_recording(name: str, form: str | None = None, process: int | None = None) -> Trace:
    """The stream of a trace file, of '-' or of a shipped trace, called as the user called it.

    `form` and `process` are those of `open_trace`.
    """
    if form is None and _is_job(name):
        raise InputError(f"'{name}' is no recording: a job is for `allocsim run {name}`")
    if not _is_path(name) and name not in shipped_traces():
        raise UnknownName("recording", name, shipped_traces(), "or a file")
    trace = open_trace(find_trace(name), form, process)
    trace.name = printable(name)
    return trace


def _is_job(name: str) -> bool:
    """Whether `name` is meant as a job: a job file, or a shipped one that no file here hides."""
    return name.endswith(".toml") or name in _jobs()


def _jobs() -> list[str]:
    """The names of the shipped jobs that no file here hides."""
    return [job.stem for job in shipped_jobs() if not _is_path(job.stem)]


def _is_path(name: str) -> bool:
    """Whether `name` is meant as a file: standard input, one that is there, or has a suffix."""
    try:
        return name == "-" or "/" in name or "." in name or Path(name).is_file()
    except (OSError, ValueError):
        return True  # the opener says what is wrong with it
