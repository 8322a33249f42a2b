"""The driver: events through a heap, one loop in one kernel, measuring as it goes.

Below the command line, above `Heap` and the streams of events. The kernel is specialised for each
design when it is compiled, and is the same for all. It stops and returns to Python only when it
must: a chunk ends, the sample buffer is full, a check is due, something went wrong. Its one rule:
what an object is worth to the program (its size, its stamp) is kept here, never in the heap.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from allocsim.core import operations
from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.raw import fill
from allocsim.core.records import HeapState, Record
from allocsim.events import Op
from allocsim.stamps import is_stamped, is_zero, stamp


class Touch(IntEnum):
    """What the program is taken to write in a fresh object."""

    NONE = 0
    FIRST = 1
    """One byte."""
    PAGE = 2
    """One byte in each page."""
    FULL = 3
    """Every byte."""


class Stop(IntEnum):
    """Why the kernel returned."""

    END = 0
    """The chunk is done."""
    SAMPLES = 1
    """The sample buffer is full; the event is done."""
    CHECK = 2
    """A check is due; the event is done."""
    OBJECTS = 3
    """The event names an object beyond the table; it is not done."""
    THREADS = 4
    """A thread could not be given a cache."""
    LIMIT = 5
    """The footprint passed the limit; the event is done."""
    REFUSED = 6
    """The heap refused memory."""
    BAD_EVENT = 7
    """The event frees what is not live, or allocates what is."""
    BAD_FREE = 8
    """The heap did not take back an object that it had handed out."""
    STAMP = 9
    """An object's stamp was overwritten."""
    NOT_ZERO = 10
    """A fresh object is not all zeros, and the design promises it."""


DRIVER = np.dtype(
    [
        ("events", np.int64),  # events done
        ("live", np.int64),  # bytes asked for and not freed
        ("peak_live", np.int64),  # the most that was
        ("threads", np.int64),  # threads that were given a cache
        ("peak_footprint", np.int64),  # the most bytes so far
        ("limit", np.int64),  # the most bytes allowed
        ("next_sample", np.int64),  # count of events at which the next sample is due
        ("interval", np.int64),  # events between samples
        ("samples", np.int64),  # rows of the sample buffer that are filled
        ("next_check", np.int64),  # count of events at which the next check is due
        ("due", np.int64),  # the smaller of the two
        ("touch", np.int64),  # a Touch
        ("verify", np.int64),  # 1: stamp every object and check the stamps
        ("stamps", np.int64),  # stamps that were checked
        ("zeroed", np.int64),  # 1: fresh objects must be all zeros
        ("stop", np.int64),  # a Stop
    ],
    align=True,
)

OBJECT = np.dtype(
    [
        ("address", np.int64),  # where the object is; 0: it is not live
        ("request", np.int64),  # bytes asked for
    ]
)

TOUCHED = 0xBB
"""The byte that the program writes, as the seed's testrandom does."""

TOUCH_STEP = 4096
"""Bytes of a page under Touch.PAGE, a power of two."""


class Run(NamedTuple):
    """What the driver keeps of a run."""

    driver: np.recarray  # one DRIVER
    objects: np.recarray  # OBJECT by object number
    samples: np.recarray  # SAMPLE rows, a buffer
    peak: np.recarray  # one SAMPLE: when the footprint first reached its peak


@kernel
def replay(heap: HeapState, run: Run, events: np.recarray, start: int) -> int:
    """Play events[start:]; the position of the first that is not done, and driver.stop."""
    driver = run.driver[0]
    driver.stop = Stop.END
    # Locals for what each event reads: a record's field would be loaded and stored every time,
    # since a write to the heap could, for all the compiler knows, have changed it.
    position, done, due = start, driver.events, driver.due
    while position < len(events):
        event = events[position]
        if event.op > Op.FREE:
            _note(heap, driver, event)
            position += 1
            continue
        if event.object >= len(run.objects):
            driver.stop = Stop.OBJECTS
            break
        if event.thread >= driver.threads and not _begin_threads(heap, driver, event.thread):
            break
        if not _play(heap, driver, run.objects[event.object], event):
            break
        position += 1
        done += 1
        if done == due or operations.footprint(heap) > driver.peak_footprint:
            driver.events = done
            due = _look(heap, run)
            if driver.stop != Stop.END:
                break
    driver.events = done
    return position


@kernel
def _play(heap: HeapState, driver: Record, target: Record, event: Record) -> bool:
    """Carry out one event on the object `target`; False when it could not be: driver.stop."""
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
    return _write(driver, target, event, True)


@kernel
def _free(heap: HeapState, driver: Record, target: Record, event: Record) -> bool:
    """Give an object back to the heap."""
    if driver.verify and not _is_whole(driver, target, event.object):
        return False
    if operations.free(heap, event.thread, target.address) != Status.OK:
        driver.stop = Stop.BAD_FREE
        return False
    driver.live -= target.request
    target.address = 0
    return True


@kernel
def _realloc(heap: HeapState, driver: Record, target: Record, event: Record) -> bool:
    """Resize an object; under verification what it keeps must bear its stamp before and after."""
    if driver.verify and not _is_whole(driver, target, event.object):
        return False
    address = operations.realloc(heap, event.thread, target.address, event.request)
    if address == 0:
        driver.stop = Stop.REFUSED
        return False
    driver.live += event.request - target.request
    driver.peak_live = max(driver.peak_live, driver.live)
    target.address = address
    target.request = min(target.request, event.request)
    if driver.verify and not _is_whole(driver, target, event.object):
        return False
    target.request = event.request
    return _write(driver, target, event, False)


@kernel
def _is_whole(driver: Record, target: Record, number: int) -> bool:
    """Whether an object bears its stamp from end to end; if not, that is why the driver stops."""
    driver.stamps += 1
    if is_stamped(target.address, target.request, number):
        return True
    driver.stop = Stop.STAMP
    return False


@kernel
def first_broken(run: Run, numbers: np.ndarray) -> int:
    """The number of the first of these live objects that does not bear its stamp; -1: all do."""
    for number in numbers:
        if not _is_whole(run.driver[0], run.objects[number], number):
            return int(number)
    return -1


@kernel
def _write(driver: Record, target: Record, event: Record, fresh: bool) -> bool:
    """Write what the program is taken to write in an object that it has just received."""
    if driver.verify:
        if fresh and driver.zeroed and not is_zero(target.address, target.request):
            driver.stop = Stop.NOT_ZERO
            return False
        stamp(target.address, target.request, event.object)
    elif driver.touch == Touch.FULL:
        fill(target.address, target.request, TOUCHED)
    elif driver.touch != Touch.NONE and target.request > 0:
        fill(target.address, 1, TOUCHED)
        if driver.touch == Touch.PAGE:
            next_page = (target.address | (TOUCH_STEP - 1)) + 1
            for address in range(next_page, target.address + target.request, TOUCH_STEP):
                fill(address, 1, TOUCHED)
    return True


@kernel
def _note(heap: HeapState, driver: Record, note: Record) -> None:
    """Carry out what is no call of the program."""
    if note.op == Op.FREEZE:
        operations.freeze(heap)
    elif note.op == Op.RELEASE:
        operations.release(heap, note.request)
    elif note.thread < driver.threads:
        operations.thread_done(heap, note.thread)


@kernel
def _begin_threads(heap: HeapState, driver: Record, thread: int) -> bool:
    """Give caches to all threads up to `thread` that have none."""
    while driver.threads <= thread:
        if operations.thread_begin(heap, driver.threads) != Status.OK:
            driver.stop = Stop.THREADS
            return False
        driver.threads += 1
    return True


@kernel
def _look(heap: HeapState, run: Run) -> int:
    """Measure what is due after this event; the count of events at which to look again."""
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
def _measure(heap: HeapState, driver: Record, sample: Record) -> None:
    """Measure the heap after the events done."""
    sample.event = driver.events
    operations.measure(heap, driver.live, sample)
