"""The bytes that the driver writes to objects, and the checks of `--verify`."""

from __future__ import annotations

import numpy as np

from allocsim.core import operations
from allocsim.core.jit import cold, kernel
from allocsim.core.raw import fill
from allocsim.core.records import HeapState, Record
from allocsim.driver_records import Driver, Object, Run, Stop, Touch
from allocsim.events import Op
from allocsim.fill_pattern import has_pattern, is_zero, write_pattern

TOUCHED = 0xBB
"""Value of the bytes that the driver writes. Go's testrandom writes the same value."""

TOUCH_STEP = 4096
"""Bytes between two writes with Touch.PAGE; must be a power of two."""


@cold
def is_intact(driver: Driver, target: Object, number: int) -> bool:
    """Return whether the fill pattern of an object is intact; if not, set driver.stop."""
    driver.patterns += 1
    if has_pattern(target.address, target.request, number):
        return True
    driver.stop = Stop.PATTERN
    return False


@kernel
def first_broken(run: Run, numbers: np.ndarray) -> int:
    """Return the id of the first of these live objects with an overwritten fill pattern, or -1."""
    for number in numbers:
        if not is_intact(run.driver[0], run.objects[number], number):
            return int(number)
    return -1


@kernel
def write_object(
    heap: HeapState, driver: Driver, target: Object, event: Record, fresh: bool
) -> bool:
    """Write to an object (see Touch and `benchmark.untouched`).

    `fresh` is True for a new object, and False after a realloc. Returns False if the replay must
    stop (see driver.stop).
    """
    if driver.verify or driver.touch != Touch.PAGE:
        writes_nothing = driver.touch == Touch.NONE and not driver.verify
        return writes_nothing or _write_otherwise(heap, driver, target, event, fresh)
    address, request = target.address, target.request
    next_page = (address | (TOUCH_STEP - 1)) + 1
    if next_page < address + request:
        return _touch_pages(heap, driver, target, event)
    if request > 0:
        fill(address, 1, TOUCHED)
    return True


@cold
def _touch_pages(heap: HeapState, driver: Driver, target: Object, event: Record) -> bool:
    """Write one byte in each page of an object that is in several pages.

    Pages at its end that the recorded program did not touch are left out. Returns False if the
    replay must stop (see `_exceeds_limit`).
    """
    address, request = target.address, target.request
    if request > TOUCH_STEP and _exceeds_limit(heap, driver):
        return False
    fill(address, 1, TOUCHED)
    # In events other than MEMALIGN, the field `alignment` is the untouched share of the object, in
    # units of 1/256 (see `benchmark.untouched`).
    untouched = 0 if event.op == Op.MEMALIGN else request * int(event.alignment) >> 8
    next_page = (address | (TOUCH_STEP - 1)) + 1
    for page in range(next_page, address + request - untouched, TOUCH_STEP):
        fill(page, 1, TOUCHED)
    return True


@cold
def _write_otherwise(
    heap: HeapState, driver: Driver, target: Object, event: Record, fresh: bool
) -> bool:
    """Write an object with `verify`, or with a Touch other than PAGE (see `write_object`)."""
    if target.request > TOUCH_STEP and _exceeds_limit(heap, driver):
        return False
    if driver.verify:
        return _check_and_write_pattern(driver, target, event, fresh)
    if driver.touch == Touch.FULL:
        fill(target.address, target.request, TOUCHED)
    elif driver.touch == Touch.FIRST and target.request > 0:
        fill(target.address, 1, TOUCHED)
    return True


@kernel
def _check_and_write_pattern(driver: Driver, target: Object, event: Record, fresh: bool) -> bool:
    """Check an object's alignment and zeros, and write its pattern.

    Returns False if a check failed (see driver.stop).
    """
    if not _is_aligned(driver, target, event):
        return False
    must_be_zero = driver.zeroed or event.op == Op.CALLOC
    if fresh and must_be_zero and not is_zero(target.address, target.request):
        driver.stop = Stop.NOT_ZERO
        return False
    write_pattern(target.address, target.request, event.object)
    return True


@kernel
def _exceeds_limit(heap: HeapState, driver: Driver) -> bool:
    """Return whether writing a large object would exceed the limit; if so, set driver.stop.

    Without this check, one object could take all memory before the limit is checked. The footprint
    of a library is not known here, so its live bytes are compared with the limit: once they are
    written, the footprint is at least as large.
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
    """Return whether an object has the alignment that it must have; if not, set driver.stop.

    An object of memalign must have the alignment in the event. An object of malloc must be aligned
    for any type that fits into it (C23, 7.24.3): to the largest power of two that exceeds neither
    its size nor driver.alignment.
    """
    required = max(driver.alignment, 1)
    while required > max(target.request, 1):
        required >>= 1
    if event.op == Op.MEMALIGN:
        required = max(required, 1 << int(event.alignment))
    if target.address & (required - 1) == 0:
        return True
    driver.stop = Stop.MISALIGNED
    return False
