"""The driver: one compiled loop, `replay`, that replays events on a heap and takes samples.

The loop is written once and compiled for each type of heap. It returns to Python only when a chunk
of events ends, the sample buffer is full, a check is due, or something fails (see `Stop`). The
driver records the requested size of every object, which allocators do not store. The sizes are
needed to count live bytes and to verify the contents of objects (`--verify`).
"""

from __future__ import annotations

import numpy as np

from allocsim.core import operations
from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.raw import fill
from allocsim.core.records import HeapState, Record, Sample
from allocsim.driver_prefetch import MANY_OBJECTS, prefetch_ahead
from allocsim.driver_records import DRIVER, OBJECT, Driver, Object, Run, Stop, Touch
from allocsim.events import Op
from allocsim.stamps import is_stamped, is_zero, stamp

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

TOUCHED = 0xBB
"""Value of the bytes that are written, as in Go's testrandom."""

TOUCH_STEP = 4096
"""Bytes between two writes with Touch.PAGE; must be a power of two."""


@kernel
def replay(heap: HeapState, run: Run, events: np.recarray, start: int) -> int:
    """Replay events[start:]; return the index of the first event that was not replayed.

    driver.stop says why the loop returned.
    """
    driver = run.driver[0]
    driver.stop = Stop.END
    # Local copies of the fields that every event uses. The compiler must assume that any write to
    # the heap changes a field of a record, so it would load and store the field for every event.
    position, done, due = start, driver.events, driver.due
    live_sum, footprint_sum = driver.live_sum, driver.footprint_sum
    is_large, has_moments = len(run.objects) > MANY_OBJECTS, driver.moments != 0
    while position < len(events):
        if is_large:
            prefetch_ahead(heap, run.objects, events, position)
        event = events[position]
        if event.op > Op.FREE:
            _replay_note(heap, driver, event)
            position += 1
            continue
        if event.object >= len(run.objects):
            driver.stop = Stop.OBJECTS
            break
        if event.thread >= driver.threads and not _begin_threads(heap, driver, event.thread):
            break
        if not replay_event(heap, driver, run.objects[event.object], event):
            if driver.stop == Stop.LIMIT:  # replayed, although the object was not written
                position += 1
                done += 1
            break
        position += 1
        done += 1
        # Reading the footprint is one load, so it is compared after every event: the peak is exact.
        footprint = operations.footprint(heap)
        if has_moments and footprint > 0:  # 0 for a library; its loop lacks this block
            live_sum += driver.live
            footprint_sum += footprint
            _note_moments(driver, event, done, footprint)
        if done == due or footprint > driver.peak_footprint:
            driver.events = done
            due = _take_due_samples(heap, run)
            if driver.stop != Stop.END:
                break
    driver.events = done
    driver.live_sum, driver.footprint_sum = live_sum, footprint_sum
    return position


@kernel
def _note_moments(driver: Driver, event: Record, done: int, footprint: int) -> None:
    """Record the moments of the peak of live bytes and of the maximum of footprint - live.

    If a program frees everything at its end, the maximum is reached there and says little.
    `worst` therefore takes over from `later` only at an allocation.
    """
    live = driver.live
    if footprint - live > driver.later_footprint - driver.later_live:
        driver.later_event, driver.later_footprint, driver.later_live = done, footprint, live
    if event.op == Op.FREE:
        return
    if live > driver.live_peak:
        driver.live_peak_event, driver.live_peak_footprint, driver.live_peak = done, footprint, live
    if driver.worst_event != driver.later_event:
        driver.worst_event = driver.later_event
        driver.worst_footprint, driver.worst_live = driver.later_footprint, driver.later_live


@kernel
def replay_event(heap: HeapState, driver: Driver, target: Object, event: Record) -> bool:
    """Replay one event on the object `target`; return False on failure (see driver.stop)."""
    # A live object can only be resized or freed. Any other object can only be allocated.
    if (target.address != 0) != (event.op >= Op.REALLOC):
        driver.stop = Stop.BAD_EVENT
        return False
    if event.op == Op.FREE:
        return _free(heap, driver, target, event)
    request = event.request
    if event.op == Op.MALLOC:
        address = operations.malloc(heap, event.thread, request)
    elif event.op == Op.CALLOC:
        address = operations.calloc(heap, event.thread, request)
    elif event.op == Op.MEMALIGN:
        address = operations.memalign(heap, event.thread, 1 << int(event.alignment), request)
    else:
        return _realloc(heap, driver, target, event)
    if address == 0:
        driver.stop = Stop.REFUSED
        return False
    target.address = address
    target.request = request
    driver.live += request
    driver.peak_live = max(driver.peak_live, driver.live)
    return _write(heap, driver, target, event, True)


@kernel
def _free(heap: HeapState, driver: Driver, target: Object, event: Record) -> bool:
    """Free an object; return False on failure (see driver.stop)."""
    if driver.verify and not _is_intact(driver, target, event.object):
        return False
    if operations.free(heap, event.thread, target.address) != Status.OK:
        driver.stop = Stop.BAD_FREE
        return False
    driver.live -= target.request
    target.address = 0
    return True


@kernel
def _realloc(heap: HeapState, driver: Driver, target: Object, event: Record) -> bool:
    """Resize an object; with `verify`, check its pattern before and that of the kept part after."""
    if driver.verify and not _is_intact(driver, target, event.object):
        return False
    address = operations.realloc(heap, event.thread, target.address, event.request)
    if address == 0:
        driver.stop = Stop.REFUSED
        return False
    driver.live += event.request - target.request
    driver.peak_live = max(driver.peak_live, driver.live)
    target.address = address
    target.request = min(target.request, event.request)
    if driver.verify and not _is_intact(driver, target, event.object):
        return False
    target.request = event.request
    return _write(heap, driver, target, event, False)


@kernel
def _is_intact(driver: Driver, target: Object, number: int) -> bool:
    """Return whether the fill pattern of an object is intact; if not, set driver.stop."""
    driver.stamps += 1
    if is_stamped(target.address, target.request, number):
        return True
    driver.stop = Stop.STAMP
    return False


@kernel
def first_broken(run: Run, numbers: np.ndarray) -> int:
    """Return the id of the first of these live objects with an overwritten fill pattern, or -1."""
    for number in numbers:
        if not _is_intact(run.driver[0], run.objects[number], number):
            return int(number)
    return -1


@kernel
def _write(heap: HeapState, driver: Driver, target: Object, event: Record, fresh: bool) -> bool:
    """Write to an object (see Touch and `benchmark.untouched`); False: see driver.stop."""
    if target.request > TOUCH_STEP and _exceeds_limit(heap, driver):
        return False
    if driver.verify:
        if not _is_aligned(driver, target, event):
            return False
        owes_zeros = driver.zeroed or event.op == Op.CALLOC
        if fresh and owes_zeros and not is_zero(target.address, target.request):
            driver.stop = Stop.NOT_ZERO
            return False
        stamp(target.address, target.request, event.object)
    elif driver.touch == Touch.FULL:
        fill(target.address, target.request, TOUCHED)
    elif driver.touch != Touch.NONE and target.request > 0:
        fill(target.address, 1, TOUCHED)
        if driver.touch == Touch.PAGE:
            next_page = (target.address | (TOUCH_STEP - 1)) + 1
            left = 0 if event.op == Op.MEMALIGN else target.request * int(event.alignment) >> 8
            for address in range(next_page, target.address + target.request - left, TOUCH_STEP):
                fill(address, 1, TOUCHED)
    return True


@kernel
def _exceeds_limit(heap: HeapState, driver: Driver) -> bool:
    """Return whether writing a large object would exceed the limit; if so, set driver.stop.

    Without this check, one object could take all memory before the limit is checked. The footprint
    of a library is not known here, but it is at least the live bytes once they are written.
    """
    if driver.touch < Touch.PAGE and not driver.verify:
        return False
    used = max(driver.live, operations.footprint(heap))
    if used <= driver.limit:
        return False
    driver.peak_footprint = max(driver.peak_footprint, used)
    driver.stop = Stop.LIMIT
    return True


@kernel
def _is_aligned(driver: Driver, target: Object, event: Record) -> bool:
    """Return whether an object is aligned as it must be; if not, set driver.stop.

    memalign owes the alignment in the event. malloc owes the alignment of any type that fits into
    the object (C23, 7.24.3), which is a power of two up to driver.alignment.
    """
    owed = max(driver.alignment, 1)
    while owed > max(target.request, 1):
        owed >>= 1
    if event.op == Op.MEMALIGN:
        owed = max(owed, 1 << int(event.alignment))
    if target.address & (owed - 1) == 0:
        return True
    driver.stop = Stop.MISALIGNED
    return False


@kernel
def _replay_note(heap: HeapState, driver: Driver, note: Record) -> None:
    """Replay an event that is not an allocation: freeze, release, or the end of a thread."""
    if note.op == Op.FREEZE:
        operations.freeze(heap)
    elif note.op == Op.RELEASE:
        operations.release(heap, note.request)
    elif note.thread < driver.threads:
        operations.thread_done(heap, note.thread)


@kernel
def _begin_threads(heap: HeapState, driver: Driver, thread: int) -> bool:
    """Call `thread_begin` for each new thread up to `thread`; return False on failure."""
    while driver.threads <= thread:
        if operations.thread_begin(heap, driver.threads) != Status.OK:
            driver.stop = Stop.THREADS
            return False
        driver.threads += 1
    return True


@kernel
def _take_due_samples(heap: HeapState, run: Run) -> int:
    """Take the samples that are due.

    Returns `driver.due`, the number of events at which the next sample or check is due.
    """
    driver = run.driver[0]
    if operations.footprint(heap) > driver.peak_footprint:
        driver.peak_footprint = operations.footprint(heap)
        _measure(heap, driver, run.peak[0])
    if driver.events == driver.next_sample:
        _measure(heap, driver, run.samples[driver.samples])
        driver.samples += 1
        driver.next_sample += driver.interval
    if driver.samples == len(run.samples):
        driver.stop = Stop.SAMPLES
    elif driver.events == driver.next_check:
        driver.stop = Stop.CHECK
    if driver.peak_footprint > driver.limit:
        driver.stop = Stop.LIMIT
    driver.due = min(driver.next_sample, driver.next_check)
    return driver.due


@kernel
def _measure(heap: HeapState, driver: Driver, sample: Sample) -> None:
    """Fill `sample` with the state of the heap."""
    sample.event = driver.events
    operations.measure(heap, driver.live, sample)
