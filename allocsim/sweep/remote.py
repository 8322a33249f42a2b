"""The part of a sweep that runs on the workers of a cluster; it does not import Dask.

A worker runs cells: measurements of one subject on one workload. The worker keeps the events that
were sent to it.
"""

from __future__ import annotations

import fcntl
import os
import threading
import weakref
from collections import OrderedDict

import allocsim
from allocsim.benchmark.event_file import SEALS, EventFile
from allocsim.errors import InputError
from allocsim.events import Trace
from allocsim.sweep.cell import Cell
from allocsim.sweep.row import Row
from allocsim.sweep.worker import run_cell
from allocsim.sweep.workload import hash_of

MAX_KEPT = 4
"""Maximum number of workloads whose files a worker keeps, besides those in use."""


def run_remotely(cell: Cell, content: bytes) -> Row:
    """Run a cell on this machine; `content` has the events, whose SHA-256 is `cell.trace`."""
    return run_cell(cell, _store.get(cell, content))


def version_here() -> str:
    """Return the version of allocsim on this machine."""
    return allocsim.__version__


class _Store:
    """The files of events in the memory of this process, the most recently used one last."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, EventFile] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, cell: Cell, content: bytes) -> EventFile:
        """Return the file of a workload's events; create the file if it is not kept.

        Raises InputError if the events do not have the hash that the cell names.
        """
        with self._lock:
            file = self._files.pop(cell.trace, None) or _make_file(cell, content)
            self._files[cell.trace] = file
            while len(self._files) > MAX_KEPT:
                self._files.popitem(last=False)
            return file


_store = _Store()


def _make_file(cell: Cell, content: bytes) -> EventFile:
    """Return a file of the events. It is closed when the last cell that uses it has ended."""
    if hash_of(content) != cell.trace:
        raise InputError(f"the events of {cell.workload} were damaged on the way to the worker")
    descriptor = os.memfd_create("allocsim-events", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
    trace = Trace(cell.workload, iter(()), {})
    file = EventFile(trace, descriptor, cell.events, cell.threads, cell.recorded)
    weakref.finalize(file, os.close, descriptor)
    return file
