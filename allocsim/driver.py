"""The driver: one compiled loop, `replay`, that replays events on a heap and takes samples.

The loop is written once and compiled for each type of heap. It returns to Python only when a chunk
of events ends, the sample buffer is full, a check is due, or something fails (see `Stop`). The
driver records the requested size of every object, which allocators do not store. The sizes are
needed to count live bytes and to verify the contents of objects (`--verify`).
"""

from __future__ import annotations

import numpy as np

from allocsim.core import operations
from allocsim.core.jit import cold, kernel
from allocsim.core.operations import Status
from allocsim.core.out_of_line import pointer_to
from allocsim.core.prefetch import prefetch
from allocsim.core.records import HeapState, Record
from allocsim.driver_due import handle_due, next_due
from allocsim.driver_prefetch import EVENTS_AHEAD
from allocsim.driver_records import DRIVER, OBJECT, Driver, Object, Run, Stop, Touch
from allocsim.driver_writes import first_broken, is_intact, write_object
from allocsim.events import Op

__all__ = [
    "DRIVER",
    "OBJECT",
    "Driver",
    "Object",
    "Run",
    "Stop",
    "Touch",
    "first_broken",
    "replay",
]


@kernel
def replay(heap: HeapState, run: Run, events: np.recarray, start: int) -> int:
    """Replay events[start:]; return the index of the first event that was not replayed.

    driver.stop says why the loop returned.
    """
    state = pointer_to(heap)  # compiles faster than `heap`, a tuple of arrays
    driver = run.driver[0]
    driver.stop = Stop.END
    # Local copies of the fields that every event uses. Without them, the fields would be loaded and
    # stored for every event, because any write to the heap might change them. The number of events
    # is position - notes. `due` is a position too, so that the loop needs only one counter.
    position, notes = start, start - driver.events
    due = next_due(run) + notes
    while position < len(events):
        prefetch(events, position + EVENTS_AHEAD)
        event = events[np.uint64(position)]  # unsigned: no test for a negative index
        if event.op > Op.FREE:
            _replay_note(state, driver, event)
            position += 1
            notes += 1
            due += 1
            continue
        if event.object >= len(run.objects):
            driver.stop = Stop.OBJECTS
            break
        if event.thread >= driver.threads and not _begin_threads(state, driver, event.thread):
            break
        if not replay_event(state, driver, run.objects[event.object], event):
            if driver.stop == Stop.LIMIT:  # the call was made, but the object was not written to
                position += 1
            break
        position += 1
        # Comparing the footprint after every event makes the peak exact, and costs only one load.
        if position == due or operations.footprint(state) > driver.peak_footprint:
            driver.events = position - notes
            due = handle_due(state, run, events, position) + notes
            if driver.stop != Stop.END:
                break
    driver.events = position - notes
    return position


@kernel
def replay_event(heap: HeapState, driver: Driver, target: Object, event: Record) -> bool:
    """Replay one event on the object `target`; return False on failure (see driver.stop)."""
    # A live object can only be resized or freed. Any other object can only be allocated.
    if event.op == Op.FREE:
        return _require(driver, target.address != 0) and _free(heap, driver, target, event)
    if event.op == Op.REALLOC:
        return _require(driver, target.address != 0) and _realloc(heap, driver, target, event)
    if not _require(driver, target.address == 0):
        return False
    request = event.request
    if event.op == Op.MALLOC:
        address = operations.malloc(heap, event.thread, request)
    elif event.op == Op.CALLOC:
        address = operations.calloc(heap, event.thread, request)
    else:
        address = operations.memalign(heap, event.thread, 1 << int(event.alignment), request)
    if address == 0:
        driver.stop = Stop.REFUSED
        return False
    driver.live += request
    driver.peak_live = max(driver.peak_live, driver.live)
    target.address = address
    target.request = request
    return write_object(heap, driver, target, event, True)


@kernel
def _require(driver: Driver, is_possible: bool) -> bool:
    """Set driver.stop unless the state of an object allows the event; return `is_possible`."""
    if not is_possible:
        driver.stop = Stop.BAD_EVENT
    return is_possible


@kernel
def _free(heap: HeapState, driver: Driver, target: Object, event: Record) -> bool:
    """Free an object; return False on failure (see driver.stop)."""
    if driver.verify and not is_intact(driver, target, event.object):
        return False
    if operations.free(heap, event.thread, target.address) != Status.OK:
        driver.stop = Stop.BAD_FREE
        return False
    driver.live -= target.request
    target.address = 0
    return True


@kernel
def _realloc(heap: HeapState, driver: Driver, target: Object, event: Record) -> bool:
    """Resize an object; with `verify`, check its pattern before and after the call.

    Returns False on failure (see driver.stop).
    """
    if driver.verify and not is_intact(driver, target, event.object):
        return False
    address = operations.realloc(heap, event.thread, target.address, event.request)
    if address == 0:
        driver.stop = Stop.REFUSED
        return False
    driver.live += event.request - target.request
    driver.peak_live = max(driver.peak_live, driver.live)
    target.address = address
    target.request = min(target.request, event.request)
    if driver.verify and not is_intact(driver, target, event.object):
        return False
    target.request = event.request
    return write_object(heap, driver, target, event, False)


@cold
def _replay_note(heap: HeapState, driver: Driver, note: Record) -> None:
    """Replay a note, which is not a call: freeze, release, or the end of a thread."""
    if note.op == Op.FREEZE:
        operations.freeze(heap)
    elif note.op == Op.RELEASE:
        operations.release(heap, note.request)
    elif note.thread < driver.threads:
        operations.thread_done(heap, note.thread)


@cold
def _begin_threads(heap: HeapState, driver: Driver, thread: int) -> bool:
    """Call `thread_begin` for each new thread up to `thread`; return False on failure."""
    while driver.threads <= thread:
        if operations.thread_begin(heap, driver.threads) != Status.OK:
            driver.stop = Stop.THREADS
            return False
        driver.threads += 1
    return True
