"""Replay events on the real tcmalloc in a separate process; write its counters at checkpoints.

`equality` runs `python -m tests.equality.checkpoints EVENTS RESULT EVERY`. The events are read and
the kernel is compiled before the library is loaded. Otherwise, glibc could move the program break
between two growths of the library's heap, and leave a gap in the heap. A checkpoint includes a
checksum of the addresses of all live objects, relative to the first object.
"""

from __future__ import annotations

import ctypes
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from allocsim.core.records import SAMPLE
from allocsim.driver import DRIVER, OBJECT, Run, Touch, replay
from allocsim.errors import EnvironmentLacks
from allocsim.events import EVENT, no_events
from allocsim.libraries.counters import read_counters
from allocsim.libraries.load import load
from allocsim.libraries.state import FUNCTIONS, Library
from allocsim.player import NEVER
from tests.equality.lockstep import LockStep

COUNTERS = (
    "generic.heap_size",
    "tcmalloc.pageheap_free_bytes",
    "tcmalloc.pageheap_unmapped_bytes",
    "tcmalloc.central_cache_free_bytes",
    "tcmalloc.transfer_cache_free_bytes",
    "tcmalloc.thread_cache_free_bytes",
    "generic.current_allocated_bytes",
)
"""The counters that are compared, by the library's names; bytes."""

ROW = np.dtype([("event", np.int64), *((name, np.int64) for name in (*COUNTERS, "places"))])
"""One checkpoint, after `event` events; `places` is a checksum of the live objects' addresses."""


def quiet_run(events: Any) -> Run:
    """Return the driver's state for `events`: no samples, no checks, objects not touched."""
    objects = int(events.object.max()) + 1 if len(events) else 1
    tables: Any = [np.zeros(n, r).view(np.recarray) for r, n in _records(objects)]
    run = Run(*tables)
    driver = run.driver[0]
    driver.limit = driver.next_sample = driver.next_check = driver.due = NEVER
    driver.touch = Touch.NONE
    run.objects.fill(0)
    return run


def _records(objects: int) -> list[tuple[np.dtype[Any], int]]:
    """Return the record and count of each field of a Run."""
    return [(DRIVER, 1), (OBJECT, objects), (SAMPLE, 1), (SAMPLE, 1)]


def slices(length: int, every: int) -> list[tuple[int, int]]:
    """Return (start, stop) of slices: the first event, then events up to multiples of `every`."""
    stops = [0, 1, *range(every, length, every), length]
    return [(a, b) for a, b in pairwise(stops) if a < b]


def row(event: int, counters: dict[str, int], run: Run, first: int) -> tuple[int, ...]:
    """Return a ROW after `event` events; `first` is the address of the first event's object."""
    addresses = run.objects.address
    live = np.flatnonzero(addresses)
    places = int(((addresses[live] - first) * (2 * live + 1)).sum())
    return (event, *(counters[name] for name in COUNTERS), places)


def replay_all(heap: Any, run: Run, events: Any) -> None:
    """Replay events on the calling thread; raise RuntimeError if one fails."""
    if replay(heap, run, events, 0) != len(events):
        raise RuntimeError(f"stopped for {run.driver[0].stop} after {run.driver[0].events} events")


def _count(events: Any, every: int) -> tuple[Any, int]:
    """Replay on the real library; return a ROW per checkpoint and the first object's address."""
    run = quiet_run(events)
    replay(Library(np.zeros(len(FUNCTIONS), np.int64)), run, no_events(), 0)  # compiles the kernel
    library = load("tcmalloc")
    if not library.address("MallocExtension_GetNumericProperty"):
        raise EnvironmentLacks(f"{library.path} reports no properties")
    release = library.handle.MallocExtension_ReleaseToSystem
    steps = LockStep(
        lambda part: replay_all(library.state, run, part),
        lambda length: release(ctypes.c_size_t(length)),
    )
    rows, first = [], 0
    for start, stop in slices(len(events), every):
        steps.step(events[start:stop])
        first = first or int(run.objects[events[0].object].address)
        rows.append(row(stop, read_counters(library), run, first))
    steps.close()
    return np.array(rows, ROW), first


def main() -> None:
    """Read events from a file and write the rows of their checkpoints to another."""
    source, target, every = sys.argv[1:]
    rows, first = _count(np.load(source).view(EVENT).view(np.recarray), int(every))
    np.savez(Path(target), rows=rows, first=first)


if __name__ == "__main__":
    main()
