"""Workloads for scripts/verify-go. Together they reach every rule of the design go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.equality import workloads as made
from tests.equality.go_equality import plain_events

BOUNDARIES = (
    *range(18), 511, 512, 513, 1016, 1024, 1025, 8192, 8193, 32752, 32760, 32761, 32768,
    15 * 8192, 16 * 8192, 16 * 8192 + 1, 1 << 20, (4 << 20) + 1, (64 << 20) + 1,
)  # fmt: skip
"""Sizes at which a rule changes: tiny blocks, mark bytes, large objects, the page cache, chunks."""


def allocations(count: int, sizes: made.SizeLaw, seed: int) -> made.Workload:
    """Allocate objects and free none."""
    workload = made.Workload(seed)
    for _ in range(count):
        workload.allocate(sizes(workload.random))
    return workload


def queue(count: int, length: int, sizes: made.SizeLaw, seed: int) -> made.Workload:
    """Objects that die in the order in which they were allocated."""
    workload = made.Workload(seed)
    for step in range(count):
        workload.allocate(sizes(workload.random))
        if step >= length:
            # `free_at` moves the last object to the place of the freed one, so the place of the
            # oldest object advances by one in each step.
            workload.free_at((step - length) % length)
    return workload


def boundaries(count: int, seed: int) -> made.Workload:
    """Objects whose sizes are in BOUNDARIES; the six largest sizes are rare."""

    def size(random: np.random.Generator) -> int:
        """Return a boundary size."""
        limit = len(BOUNDARIES) if random.random() < 0.02 else len(BOUNDARIES) - 6
        return BOUNDARIES[int(random.integers(limit))]

    return made.churn(count, int(np.random.default_rng(seed).integers(20, 2000)), size, seed)


def workloads(scale: int) -> dict[str, Callable[[], Any]]:
    """Return the workloads by name. Most have about `scale` thousand events."""
    count, log = 1000 * scale, made.log_uniform
    plain: dict[str, Callable[[], made.Workload]] = {
        "alloc only": lambda: allocations(count, log(1 << 14), 1),
        "churn to 1 KiB": lambda: made.churn(count, 20 * scale, made.uniform(1024), 2),
        "churn to 128 KiB": lambda: made.churn(count, 20 * scale, log(1 << 17), 3),
        "churn to 2 MiB": lambda: made.churn(count // 4, 3 * scale, log(1 << 21), 4),
        "phases": lambda: made.phases(5, scale // 5),
        "tiny only": lambda: made.churn(count, 100 * scale, made.uniform(16), 6),
        "one class": lambda: made.churn(count, 50 * scale, lambda _: 208, 7),
        "large only": lambda: made.churn(count // 10, scale, log(6 << 20, 1 << 15), 8),
        "first in, first out": lambda: queue(count // 2, 20 * scale, log(1 << 13), 9),
        "reallocs": lambda: made.reallocs(count // 2, 10),
        "boundary sizes": lambda: boundaries(count // 2, 11),
        "a heap of 8 GiB": lambda: made.huge_heap(12),
    }
    return {name: lambda make=make: plain_events(make().events()) for name, make in plain.items()}  # type: ignore[misc]


def memory_limit(events: np.ndarray) -> int:
    """Return a memory limit that makes the pacer collect often, and is above the live bytes.

    It is 1.25 times the peak of requested bytes, plus 12 MiB for the runtime, in whole MiB.
    """
    order = np.argsort(events[:, 0], kind="stable")
    objects, sizes = events[order, 0], np.maximum(events[order, 1], 0)
    change = np.empty(len(events), np.int64)
    change[order] = sizes
    change[order[1:]] -= np.where(objects[1:] == objects[:-1], sizes[:-1], 0)
    return (int(change.cumsum().max()) * 5 // 4 + (12 << 20)) >> 20 << 20


def random_cases(count: int) -> Iterator[tuple[str, Any, dict[str, int]]]:
    """Yield short traces of boundary sizes, each in a mode chosen at random."""
    random = np.random.default_rng(27)
    for seed in range(1000, 1000 + count):
        mode = {"GOGC": int(random.choice([-1, 20, 50, 100, 200]))}
        if random.random() < 0.4:
            mode["collect"] = int(random.choice([10, 97, 500]))
        if random.random() < 0.4:
            mode["freegc"] = 1
        mode["scavenger"] = int(random.choice([0, 1, 50, 1000]))
        events = plain_events(boundaries(int(random.integers(500, 6000)), seed).events())
        if random.random() < 0.4:
            mode["GOMEMLIMIT"] = memory_limit(events)
        yield f"boundary sizes, seed {seed}", events, mode
