"""The functions of the package: open a workload, replay it on a design, compare allocators.

`replay` and `compare` check their arguments as the commands do, and give the same figures.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

from allocsim.api_arguments import (
    MAX_SEED,
    THREADS,
    call_text,
    checked_conditions,
    names_of,
    touch_called,
)
from allocsim.benchmark import comparison
from allocsim.benchmark.subject import choose_subjects
from allocsim.designs import find_design
from allocsim.errors import InputError, UnknownName
from allocsim.events import Trace, on_one_thread
from allocsim.heap import RESERVE, Heap
from allocsim.heap.arguments import (
    checked_bytes,
    checked_choice,
    checked_flag,
    checked_integer,
    checked_optional,
    checked_path,
    checked_range,
    checked_text,
)
from allocsim.libraries.find import require_no_library
from allocsim.player import Options, replay_trace
from allocsim.reports.comparison import Compared, column_of
from allocsim.results import ComparisonResult, ReplayProfile
from allocsim.workloads import (
    default_design,
    expect_kernels,
    open_parameters,
    open_recording,
    open_workload,
)

Workload: TypeAlias = Trace | str | os.PathLike[str] | Mapping[str, Any]
"""The name of a bundled workload, the path of a recording or a job file, the keys of a job file as
a dict, or a trace that is already open."""

MAX_COUNT = 10**15
MAX_RUNS = 1000


def open_trace(
    path: str | os.PathLike[str], *, format: str | None = None, process: int | None = None
) -> Trace:
    """Open a recording by its path, or a bundled recording by its name.

    `format` names the recording's format; by default, it is detected from the content. `process`
    selects one of several recorded processes. `trace.chunks` yields the events as structured
    arrays, and can be read only once; `replay` and `compare` open the trace again if its events
    have been read. Close the trace if you do not read it.
    """
    form, number = _reading_options("open_trace", format, process)
    return open_recording(checked_path("open_trace", "path", path), form, number)


def workload(
    source: Workload,
    *,
    seed: int | None = None,
    format: str | None = None,
    process: int | None = None,
) -> Trace:
    """Open any workload; `seed` replaces the random seed of a job.

    `format` and `process` mean the same as in `open_trace`.
    """
    if seed is not None:
        seed = checked_range("workload", "seed", seed, 0, MAX_SEED)
    if isinstance(source, Trace | Mapping) and (format is not None or process is not None):
        raise InputError("format and process apply only to a recording given by its path")
    if isinstance(source, Trace):
        return _fresh(source, seed)
    if isinstance(source, Mapping):
        return open_parameters(source, seed)
    form, number = _reading_options("workload", format, process)
    return open_workload(checked_path("workload", "source", source), seed, form, number)


def replay(
    workload: Workload,
    design: str | None = None,
    *,
    seed: int | None = None,
    threads: str = "recorded",
    touch: str = "page",
    limit: int | str | None = None,
    every: int | None = None,
    check_every: int | None = None,
    verify: bool = False,
    reserve: int | str = RESERVE,
    **parameters: int | str,
) -> ReplayProfile:
    """Replay a workload on a design and return the measurements as a ReplayProfile.

    Without `design`, a recording is replayed on "glibc", any other workload on "go2008".
    `threads="one"` replays the events of all threads on one thread. `touch` says which bytes of a
    new object are written: "none", "first" (one byte), "page" (one byte in each page) or "full".
    The run fails with LimitExceeded when the footprint exceeds `limit`. `reserve` is the address
    space of the heap. `limit` and `reserve` are bytes, or text such as "64MiB". `every` is the
    number of events between samples. `verify` fills every object with a pattern and checks the
    pattern later. `check_every` is the number of events between checks of all invariants.
    `parameters` are the design's parameters.
    """
    call = call_text(replay, locals())
    options = Options(
        touch=touch_called("replay", touch),
        verify=checked_flag("replay", "verify", verify),
        limit=None if limit is None else checked_bytes("replay", "limit", limit),
        every=_optional_count("every", every),
        check_every=_optional_count("check_every", check_every),
    )
    checked_choice("replay", "threads", threads, THREADS)
    if design is not None:
        require_no_library(checked_text("replay", "design", design))
    length = checked_bytes("replay", "reserve", reserve)
    with opened(workload, seed) as trace:
        design = default_design(trace) if design is None else design
        expect_kernels(trace, [design])
        # Heap checks the parameters too, but it would take a key such as `reserve` for an argument
        # of its own.
        find_design(design).checked(parameters)
        with Heap(design, reserve=length, **parameters) as heap:
            events = on_one_thread(trace) if threads == "one" else trace
            profile = replay_trace(heap, events, options)
            settings = heap.design.shown(heap.parameters)
            return ReplayProfile.of(profile, trace, heap.design.name, settings, call)


def compare(
    workload: Workload,
    on: str | Iterable[str] | None = None,
    *,
    seed: int | None = None,
    runs: int = 5,
    warmup: int = 1,
    times: bool = True,
    threads: str = "recorded",
    touch: str = "page",
    timeout: float = 600.0,
    limit: int | str | None = None,
    reserve: int | str = RESERVE,
    keep_settings: bool = False,
    reference: str | None = None,
    sort: str | None = None,
) -> ComparisonResult:
    """Measure designs and installed malloc libraries on a workload, each in fresh processes.

    `on` names the allocators as `allocsim compare --on` does: "go2008", "tcmalloc:release_rate=10",
    "lib:glibc", "lib:/a/libx.so:x_". Without `on`, all designs and all installed libraries are
    measured. `runs` timed runs follow `warmup` untimed ones; `times=False` measures memory only.
    `threads` says whether a workload with several threads is replayed on these threads ("recorded")
    or on one ("one"); designs are timed on one thread only. `timeout` is the maximum time of each
    process, in seconds. An allocator whose footprint exceeds `limit` is not measured further.
    `reserve` is the address space of a design's heap. `limit` and `reserve` are bytes, or text such
    as "64MiB". With `keep_settings`, the malloc settings in the environment stay in effect.
    `reference` is the allocator whose relative figures are 1.00, by default the first. `sort` is
    the key of the column to sort by. `seed` and `touch` mean the same as in `replay`.
    """
    arguments = locals()
    call = call_text(compare, arguments)
    conditions = comparison.Conditions(
        runs=checked_range("compare", "runs", runs, 1, MAX_RUNS),
        warmup=checked_range("compare", "warmup", warmup, 0, MAX_RUNS),
        timed=checked_flag("compare", "times", times),
        **checked_conditions("compare", arguments),
    )
    subjects = choose_subjects(names_of("compare", "on", on))
    first = checked_optional(checked_text, "compare", "reference", reference) or subjects[0]
    if first not in subjects:
        raise UnknownName("allocator for reference", first, subjects)
    if sort is not None:
        column_of(checked_text("compare", "sort", sort))
    with opened(workload, seed) as trace:
        measured = comparison.compare_trace(trace, subjects, conditions)
    return ComparisonResult(Compared(measured, first, sort, call))


@contextmanager
def opened(source: Workload, seed: int | None) -> Iterator[Trace]:
    """Open a workload as `workload` does. At the end, close it, unless the caller had opened it."""
    trace = workload(source, seed=seed)
    try:
        yield trace
    finally:
        if trace is not source:
            trace.close()


def _reading_options(call: str, form: object, process: object) -> tuple[str | None, int | None]:
    """Return the format and the process of a recording; each may be None."""
    return (
        checked_optional(checked_text, call, "format", form),
        checked_optional(checked_integer, call, "process", process),
    )


def _fresh(trace: Trace, seed: int | None) -> Trace:
    """Return the trace, opened again if its events have been read.

    Raises InputError if it cannot be opened again.
    """
    if seed is not None:
        raise InputError(f"'{trace.name}' is already open; set the random seed when opening it")
    if not trace.is_used:
        return trace
    if trace.reopen is None:
        raise InputError(f"the events of '{trace.name}' have been read and cannot be read again")
    return trace.reopen()


def _optional_count(name: str, value: int | None) -> int | None:
    """Return a number of events, or None."""
    return None if value is None else checked_range("replay", name, value, 1, MAX_COUNT)
