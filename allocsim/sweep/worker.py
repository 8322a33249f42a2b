"""Run a cell, which is one measurement of one subject on one workload.

The memory of designs is measured in long-lived processes, everything else in fresh ones. The result
of a cell is a row. A failure of the subject is a result too, so `run_cell` returns a row for every
cell. The threads of an executor call `run_cell`, on this machine or on a worker of a cluster.
"""

from __future__ import annotations

import os
import platform
import time
from datetime import UTC, datetime
from typing import Any

import numba

import allocsim
from allocsim.benchmark.comparison import Conditions, measure
from allocsim.benchmark.event_file import EventFile
from allocsim.benchmark.figures import Memory, Times
from allocsim.benchmark.parent import SubjectFailed
from allocsim.benchmark.subject import library_of
from allocsim.core.available_memory import available_memory
from allocsim.errors import AllocsimError
from allocsim.libraries.find import require_library
from allocsim.sweep.cell import Cell
from allocsim.sweep.design_child import Request
from allocsim.sweep.design_process import DesignProcesses
from allocsim.sweep.row import MAX_FAILURE, Footprint, Row, Speed

processes = DesignProcesses()
"""The child processes that replay on designs on this machine."""


def run_cell(cell: Cell, events: EventFile) -> Row:
    """Measure a cell and return its row, with the figures or the failure."""
    began, clock = datetime.now(UTC), time.monotonic()
    versions = own_versions()
    result: dict[str, Any] = {}
    try:
        if cell.measure == "memory" and library_of(cell.subject) is None:
            result["memory"] = _replay_on_design(cell, events)
        else:
            result, library = _measure(cell, events)
            versions |= {"library": library} if library else {}
    except AllocsimError as error:
        result["failure"] = str(error)[:MAX_FAILURE]
    return cell.row(
        host=platform.node(),
        versions=versions,
        began=began.isoformat(timespec="seconds"),
        seconds=round(time.monotonic() - clock, 3),
        **result,
    )


def own_versions() -> dict[str, str]:
    """Return the versions of allocsim, Python, Numba and Linux."""
    return {
        "allocsim": allocsim.__version__,
        "python": platform.python_version(),
        "numba": numba.__version__,
        "kernel": platform.release(),
    }


def _replay_on_design(cell: Cell, events: EventFile) -> Footprint:
    """Measure the memory of a design in one of `processes`."""
    request = Request(
        subject=cell.subject,
        trace=cell.trace,
        path=f"/proc/{os.getpid()}/fd/{events.descriptor}",
        limit=cell.limit,
        reserve=cell.reserve,
        sharers=cell.sharers,
    )
    return processes.replay(request, cell.timeout)


def _measure(cell: Cell, events: EventFile) -> tuple[dict[str, Any], str | None]:
    """Measure a cell in a fresh process; return the fields of its row, and the library's version.

    Raises SubjectFailed if a design is to be timed on several threads, because simulated threads
    never contend.
    """
    library = library_of(cell.subject)
    if library is not None:
        require_library(library)
    elif cell.recorded:
        raise SubjectFailed("designs are timed on one thread only; use --threads one")
    message = measure(cell.subject, cell.measure, events, _conditions(cell))
    result: dict[str, Any] = {}
    if message.memory is not None:
        result["memory"] = _footprint(message.memory)
    if message.times is not None:
        result["times"] = _speed(message.times)
    return result, message.about.version


def _conditions(cell: Cell) -> Conditions:
    """Return the conditions of a measurement in a fresh process."""
    return Conditions(
        runs=cell.runs,
        warmup=cell.warmup,
        touch=cell.touched,
        timeout=cell.timeout,
        limit=cell.limit,
        reserve=cell.reserve,
        later=0.0,
        recorded=cell.recorded,
        keep_settings=cell.keep_settings,
        available=lambda: available_memory() // cell.sharers,
    )


def _footprint(memory: Memory) -> Footprint:
    """Convert the memory figures of a library into those of a row."""
    return Footprint(
        peak=memory.peak,
        peak_event=memory.peak_event,
        live_at_peak=memory.live_at_peak,
        peak_live=memory.peak_live,
        end=memory.end,
        live_at_end=memory.live_at_end,
        kept=memory.kept,
    )


def _speed(times: Times) -> Speed:
    """Return the time figures of a row."""
    low, high = times.middle
    return Speed(ns=times.ns, low=low, high=high, runs=len(times.runs))
