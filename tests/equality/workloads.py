"""Workloads that exercise every rule of tcmalloc, for the comparison with the library.

Each workload is deterministic for its seed and starts with an allocation. The docstring of a
workload names the rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from allocsim.events import Op, no_events

SizeLaw = Callable[[np.random.Generator], int]


class Workload:
    """A stream of events under construction, and its live objects."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.live: list[int] = []
        self._spare: list[int] = []
        self._rows: list[tuple[int, int, int, int, int]] = []
        self._numbers = 0

    def allocate(self, size: int, thread: int = 0, op: Op = Op.MALLOC, shift: int = 0) -> int:
        """Allocate an object; return its id."""
        if not self._spare:
            self._spare.append(self._numbers)
            self._numbers += 1
        number = self._spare.pop()
        self.live.append(number)
        self._rows.append((size, number, thread, op, shift))
        return number

    def resize_one(self, size: int, thread: int = 0) -> None:
        """Resize one of the live objects."""
        number = self.live[int(self.random.integers(len(self.live)))]
        self._rows.append((size, number, thread, Op.REALLOC, 0))

    def free_one(self, thread: int = 0) -> None:
        """Free one of the live objects."""
        self.free_at(int(self.random.integers(len(self.live))), thread)

    def free_at(self, place: int, thread: int = 0) -> None:
        """Free the live object at `place` in the list."""
        number, self.live[place] = self.live[place], self.live[-1]
        self.live.pop()
        self._free(number, thread)

    def free_oldest(self, thread: int = 0) -> None:
        """Free the first live object of the list; the others keep their order."""
        self._free(self.live.pop(0), thread)

    def free(self, number: int, thread: int = 0) -> None:
        """Free the live object with this id."""
        self.live.remove(number)
        self._free(number, thread)

    def _free(self, number: int, thread: int) -> None:
        """Add the free of an object that is no longer on the list of live ones."""
        self._spare.append(number)
        self._rows.append((0, number, thread, Op.FREE, 0))

    def release(self, length: int) -> None:
        """Add a request to release `length` bytes to the OS."""
        self._rows.append((length, 0, 0, Op.RELEASE, 0))

    def end(self, thread: int) -> None:
        """Add the end of a thread."""
        self._rows.append((0, 0, thread, Op.THREAD_DONE, 0))

    def events(self) -> Any:
        """Return the events."""
        events = no_events(len(self._rows))
        names = ("request", "object", "thread", "op", "alignment")
        for name, column in zip(names, zip(*self._rows, strict=True), strict=True):
            events[name][:] = column
        return events


def log_uniform(maximum: int, minimum: int = 1) -> SizeLaw:
    """Return sizes whose logarithm is uniformly distributed."""
    low, high = np.log2(minimum), np.log2(maximum)
    return lambda random: int(2 ** random.uniform(low, high))


def uniform(limit: int) -> SizeLaw:
    """Return sizes uniformly distributed below `limit`."""
    return lambda random: int(random.integers(limit))


def churn(steps: int, slots: int, sizes: SizeLaw, seed: int, threads: int = 1) -> Workload:
    """Allocate and free at random, up to `slots` objects, on random threads."""
    workload = Workload(seed)
    for _ in range(steps):
        thread = int(workload.random.integers(threads))
        if len(workload.live) > int(workload.random.integers(1, slots)):
            workload.free_one(thread)
        else:
            workload.allocate(sizes(workload.random), thread)
    return workload


def phases(seed: int, scale: int = 10) -> Workload:
    """Many objects of one size, then of another: spans coalesce and serve other classes."""
    workload = Workload(seed)
    for size in (24, 200, 3000, 40_000, 300_000, 24, 3000):
        for _ in range(max(20, min(300 * scale, 1_500_000 * scale // size))):
            workload.allocate(int(workload.random.integers(size // 2, size)))
        for _ in range(int(len(workload.live) * workload.random.choice([0.5, 0.9, 1.0]))):
            workload.free_one()
    return workload


def reallocs(steps: int, seed: int) -> Workload:
    """Random reallocs: an object stays in place if the request fits and fills at least half of it.

    If the request does not fit, the new object is at least a quarter larger than the old one.
    """
    workload, sizes = Workload(seed), log_uniform(1 << 20)
    for _ in range(steps):
        choice = workload.random.random()
        if not workload.live or (len(workload.live) < 300 and choice < 0.4):
            workload.allocate(sizes(workload.random))
        elif choice < 0.85:
            workload.resize_one(sizes(workload.random))
        else:
            workload.free_one()
    return workload


def aligned(steps: int, seed: int) -> Workload:
    """memalign with alignments from 1 byte to 64 KiB, mixed with calloc."""
    workload, sizes = Workload(seed), log_uniform(1 << 19)
    for step in range(steps):
        if len(workload.live) > int(workload.random.integers(1, 800)):
            workload.free_one()
        elif step % 3 == 0:
            workload.allocate(sizes(workload.random) - 1, op=Op.CALLOC)
        else:
            shift = int(workload.random.integers(17))
            workload.allocate(sizes(workload.random) - 1, op=Op.MEMALIGN, shift=shift)
    return workload


def requested_releases(steps: int, seed: int) -> Workload:
    """Release on request: a little, a lot, everything; then allocation from released spans."""
    workload, sizes = Workload(seed), log_uniform(1 << 20)
    for step in range(steps):
        if len(workload.live) > int(workload.random.integers(1, 2000)):
            workload.free_one()
        else:
            workload.allocate(sizes(workload.random))
        if step % 997 == 0:
            workload.release(int(workload.random.choice([1, 5000, 100_000, 3 << 20, 1 << 30])))
    while workload.live:
        workload.free_one()
    workload.release(1 << 40)
    for _ in range(steps // 8):
        workload.allocate(sizes(workload.random))
    return workload


def forced_coalescing(seed: int) -> Workload:
    """Growth while free and released spans alternate: all free ones are released and coalesce."""
    workload = Workload(seed)
    for _ in range(3):
        for _ in range(500):
            workload.allocate(int(workload.random.integers(300_000, 600_000)))
        while len(workload.live) > 250:
            workload.free_one()
        workload.release(40 << 20)
        while len(workload.live) > 60:
            workload.free_one()
        for _ in range(40):
            workload.allocate(int(workload.random.integers(4 << 20, 9 << 20)))
    return workload


def huge_heap(seed: int) -> Workload:
    """A heap of 8 GiB of large objects, nearly all freed: many releases."""
    workload = Workload(seed)
    for _ in range(2):
        while len(workload.live) < 500:
            workload.allocate(int(workload.random.integers(8 << 20, 24 << 20)))
        while len(workload.live) > 50:
            workload.free_one()
    return workload


def queue_between_threads(steps: int, seed: int) -> Workload:
    """One thread allocates, two others free, end and start again."""
    workload, sizes = Workload(seed), log_uniform(1 << 14)
    for step in range(steps):
        if step % 5000 == 4999:
            workload.end(1 + step // 5000 % 2)
        if len(workload.live) > int(workload.random.integers(1, 3000)):
            workload.free_one(1 + int(workload.random.integers(2)))
        else:
            workload.allocate(sizes(workload.random))
    return workload


def stealing(steps: int, seed: int) -> Workload:
    """Eight threads whose caches need more than the limit: they steal from each other."""
    workload = churn(steps, 20_000, log_uniform(1 << 15), seed, threads=8)
    for thread in (3, 5):
        workload.end(thread)
    for _ in range(steps):
        thread = int(workload.random.choice([0, 1, 2, 4, 6, 7, 8]))
        if workload.live and workload.random.random() < 0.7:
            workload.free_one(thread)
        else:
            workload.allocate(log_uniform(1 << 15)(workload.random), thread)
    return workload
