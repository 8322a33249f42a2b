"""Workloads by the name that a user gives: a recording, a job file, or a bundled workload.

A name means the same in every command. A trace is a stream that can be consumed only once;
`Trace.reopen` opens the same workload again with the same options.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from allocsim.core import compile_notice
from allocsim.designs import DEFAULT, RECORDED_DEFAULT, SUMMARIES
from allocsim.errors import InputError, UnknownName
from allocsim.events import Trace
from allocsim.generators import Generator
from allocsim.jobs import (
    bundled_jobs,
    bundled_traces,
    find_job,
    find_trace,
    make_generator,
    read_job,
)
from allocsim.text import printable, shell_argument
from allocsim.traces import open_trace


def open_workload(
    name: str,
    seed: int | None = None,
    form: str | None = None,
    process: int | None = None,
    sites: bool = False,
) -> Trace:
    """Open a trace file, '-' (standard input), a job file (.toml), or a bundled trace or job.

    `form`, `process` and `sites` are passed on to `open_trace`.
    """
    if _is_job(name):
        if form is not None or process is not None:
            raise InputError(f"'{name}' is a job, not a recording: omit --format and --process")
        return open_job(name, seed)
    if seed is not None:
        raise InputError(f"'{name}' is a recording and has no random seed: omit --seed")
    if not _is_path(name) and name not in bundled_traces():
        raise UnknownName("workload", name, [*_jobs(), *bundled_traces()], "a file")
    return open_recording(name, form, process, sites)


def open_job(name: str, seed: int | None = None) -> Trace:
    """Open a job file or a bundled job; `seed`, if given, replaces the job's own random seed."""
    is_job = name.endswith(".toml") or "/" in name or name in [job.stem for job in bundled_jobs()]
    if name in bundled_traces() or (not is_job and _is_path(name)):
        raise InputError(
            f"'{name}' is not a job file (.toml); use `allocsim replay {shell_argument(name)}` "
            "for a recording"
        )
    return _generated(read_job(find_job(name)), printable(name), seed)


def open_parameters(parameters: Mapping[str, Any], seed: int | None = None) -> Trace:
    """Open a job that is given by its parameters, with the same keys as in a job file."""
    generator = make_generator(dict(parameters))
    return _generated(generator, str(parameters["kind"]), seed)


def open_recording(
    name: str, form: str | None = None, process: int | None = None, sites: bool = False
) -> Trace:
    """Open a trace file, '-' (standard input) or a bundled trace, under the name the user gave.

    `form`, `process` and `sites` are passed on to `open_trace`.
    """
    if form is None and _is_job(name):
        command = f"allocsim run {shell_argument(name)}"
        raise InputError(f"'{name}' is a job, not a recording; use `{command}`")
    if not _is_path(name) and name not in bundled_traces():
        raise UnknownName("recording", name, bundled_traces(), "a file")
    path = find_trace(name)
    compile_notice.expect("allocsim.traces")
    trace = open_trace(path, form, process, sites)
    trace.name = printable(name)
    if name != "-" and Path(path).is_file():  # a pipe can be read only once
        trace.reopen = partial(open_recording, name, form, process, sites)
        trace.reopen_with_sites = partial(open_recording, name, form, process, True)
    return trace


def default_design(trace: Trace) -> str:
    """Return the design on which a workload is replayed if the user names none."""
    return RECORDED_DEFAULT if trace.is_recorded else DEFAULT


def expect_kernels(trace: Trace | None, subjects: Iterable[str]) -> None:
    """Report to `compile_notice` which kernels a command is likely to compile.

    One line can then announce all of them. `trace` is None if the workload is not open yet; it then
    counts as a recording. A subject names a design or a library, and may have settings. A design
    from outside the package is announced when it is compiled.
    """
    modules = {"allocsim.traces" if trace is None or trace.is_recorded else "allocsim.generators"}
    for subject in subjects:
        name = subject.partition(":")[0]
        design, library = {f"allocsim.designs.{name}"}, {"allocsim.libraries", "allocsim.benchmark"}
        modules |= design if name in SUMMARIES else library if name == "lib" else set()
    compile_notice.expect(*sorted(modules))


def _generated(generator: Generator, name: str, seed: int | None) -> Trace:
    """Return the trace of a generator."""
    if seed is not None:
        generator = msgspec.structs.replace(generator, seed=seed)
    return generator.trace(name)


def _is_job(name: str) -> bool:
    """Return whether `name` is a job file, or a bundled job that no local file hides."""
    return name.endswith(".toml") or name in _jobs()


def _jobs() -> list[str]:
    """Return the names of the bundled jobs that no local file hides."""
    return [job.stem for job in bundled_jobs() if not _is_path(job.stem)]


def _is_path(name: str) -> bool:
    """Return whether `name` is a path, not the name of a bundled workload.

    It is a path if it is '-', contains a slash or a dot, or is an existing file.
    """
    try:
        return name == "-" or "/" in name or "." in name or Path(name).is_file()
    except (OSError, ValueError):
        return True  # opening the file raises the right error
