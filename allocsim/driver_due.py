"""The driver's work between two events: it takes samples, records moments, and prefetches memory.

A moment is a point of the replay, such as that of the most live bytes (see `moments`). Prefetching
loads memory that later events need (see `driver_prefetch`).

After each event, the loop checks whether the number of events replayed is the one at which
something is due (see `next_due`), and whether the footprint exceeds its peak. A replay that records
no moments and has few objects does nothing else between events.
"""

from __future__ import annotations

import numpy as np

from allocsim.core import operations
from allocsim.core.jit import cold, kernel
from allocsim.core.records import HeapState, Record, Sample
from allocsim.driver_prefetch import MANY_OBJECTS, prefetch_ahead
from allocsim.driver_records import Driver, Run, Stop
from allocsim.events import Op


@kernel
def next_due(run: Run) -> int:
    """Return the number of events at which something is due next."""
    driver = run.driver[0]
    if driver.moments or len(run.objects) > MANY_OBJECTS:
        return driver.events + 1
    return driver.due


@kernel
def handle_due(heap: HeapState, run: Run, events: np.recarray, position: int) -> int:
    """Sample, record moments and prefetch before the event at `position`; return `next_due`."""
    driver, footprint = run.driver[0], operations.footprint(heap)
    # The footprint of a library is the constant 0, so this block is not compiled for it.
    if driver.moments and footprint > 0:
        _note_moments(driver, events[position - 1], footprint)
    if driver.events == driver.due or footprint > driver.peak_footprint:
        _take_due_samples(heap, run)
    if len(run.objects) > MANY_OBJECTS:
        prefetch_ahead(heap, run.objects, events, position)
    return next_due(run)


@kernel
def _note_moments(driver: Driver, event: Record, footprint: int) -> None:
    """Sum live bytes and footprint; record the maxima of `live` and of footprint - live.

    The fields `later_*` describe the maximum of footprint - live so far. The fields `worst_*`
    describe the maximum up to the last allocation. If a program frees everything at its end,
    footprint - live is largest at the end, which says little about the program.
    """
    count, live = driver.events, driver.live
    driver.live_sum += live
    driver.footprint_sum += footprint
    if footprint - live > driver.later_footprint - driver.later_live:
        driver.later_event, driver.later_footprint, driver.later_live = count, footprint, live
    if event.op == Op.FREE:
        return
    if live > driver.live_peak:
        driver.live_peak_event, driver.live_peak_footprint, driver.live_peak = (
            count,
            footprint,
            live,
        )
    if driver.worst_event != driver.later_event:
        driver.worst_event = driver.later_event
        driver.worst_footprint, driver.worst_live = driver.later_footprint, driver.later_live


@cold
def _take_due_samples(heap: HeapState, run: Run) -> None:
    """Take the samples that are due; set driver.due, and driver.stop if the loop must return."""
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


@cold
def _measure(heap: HeapState, driver: Driver, sample: Sample) -> None:
    """Fill `sample` with the state of the heap."""
    sample.event = driver.events
    operations.measure(heap, driver.live, sample)
