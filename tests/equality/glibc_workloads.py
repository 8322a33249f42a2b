"""Workloads that exercise the rules of glibc's malloc, for the comparison with the library.

Each workload is deterministic for its seed and starts with an allocation. The docstring of a
workload names the rule that the workload exercises.
"""

from __future__ import annotations

from collections.abc import Sequence

from allocsim.events import Op
from tests.equality.workloads import SizeLaw, Workload, log_uniform

KIB, MIB = 1 << 10, 1 << 20


def sizes_of(*sizes: int) -> SizeLaw:
    """Return a function that draws one of `sizes` at random."""
    return lambda random: int(random.choice(sizes))


BORDERS = (0, 24, 25, 120, 121, 136, 137, 1000, 1001, 1008, 1009, 1024, 1032, 1033, 3050, 10_220)
"""Requests at the borders of fastbins, small bins, tcaches and groups of large bins."""


def fifo(steps: int, live: int, sizes: SizeLaw, seed: int) -> Workload:
    """Objects that are freed in the order of their allocation: long unsorted lists."""
    workload = Workload(seed)
    for _ in range(steps):
        workload.allocate(sizes(workload.random))
        if len(workload.live) > live:
            workload.free_oldest()
    return workload


def equal_large_sizes(steps: int, seed: int) -> Workload:
    """A few large sizes: large bins with many chunks of equal size."""
    workload = Workload(seed)
    sizes = sizes_of(1040, 1056, 1072, 1088, 3136, 3200, 3600, 12_300, 12_800, 41_000, 41_008)
    for _ in range(steps):
        if len(workload.live) > int(workload.random.integers(1, 300)):
            workload.free_one()
        else:
            workload.allocate(sizes(workload.random))
    return workload


def borders(steps: int, seed: int) -> Workload:
    """Requests at all borders, by malloc, calloc, memalign and realloc."""
    workload, sizes = Workload(seed), sizes_of(*BORDERS)
    for _ in range(steps):
        choice = workload.random.random()
        if len(workload.live) > int(workload.random.integers(1, 400)):
            workload.free_one()
        elif choice < 0.6 or not workload.live:
            workload.allocate(sizes(workload.random))
        elif choice < 0.75:
            workload.allocate(sizes(workload.random), op=Op.CALLOC)
        elif choice < 0.85:
            shift = int(workload.random.integers(13))
            workload.allocate(sizes(workload.random), op=Op.MEMALIGN, shift=shift)
        else:
            workload.resize_one(max(sizes(workload.random), 1))
    return workload


def thresholds(seed: int) -> Workload:
    """Mappings around the dynamic threshold, up to 32 MiB and beyond, and trims between them."""
    workload = Workload(seed)
    sizes = (127, 128, 129, 200, 131, 500, 1024, 900, 5000, 32 * 1024, 33 * 1024, 20_000)
    for size in sizes:
        for offset in (-4096, -64, -24, -8, 0, 8, 4096):
            workload.allocate(size * KIB + offset)
            workload.allocate(100)
            workload.free_oldest()
        while len(workload.live) > 4:
            workload.free_one()
    return workload


def many_unsorted(seed: int) -> Workload:
    """More than 10,000 chunks on the unsorted list, and one request that sorts them."""
    workload = Workload(seed)
    for _ in range(25_000):
        workload.allocate(1048)
    for number in range(0, 25_000, 2):
        workload.free(number)
    workload.allocate(5000)
    workload.allocate(1500)
    return workload


def many_mappings(seed: int, count: int = 66_000) -> Workload:
    """More mappings than mmap_max allows: the main arena grows instead."""
    workload = Workload(seed)
    for _ in range(count):
        workload.allocate(128 * KIB)
    for _ in range(count):
        workload.free_one()
    return workload


def heap_limits(seed: int, threads: Sequence[int] = (1, 2)) -> Workload:
    """Arenas that fill heaps of 64 MiB, get more of them, and lose them again."""
    workload, sizes = Workload(seed), log_uniform(24 * MIB, 60 * KIB)
    workload.allocate(10)
    for step in range(1500):
        thread = int(workload.random.choice(threads))
        full = len(workload.live) > int(workload.random.integers(1, 60))
        if full or ((step // 300) % 2 and len(workload.live) > 1):
            workload.free_one(thread)
        else:
            workload.allocate(sizes(workload.random), thread)
    while workload.live:
        workload.free_one(int(workload.random.choice(threads)))
    return workload


def anything(steps: int, seed: int) -> Workload:
    """Every call, on up to 30 threads that begin and end, with sizes of a random distribution."""
    workload = Workload(seed)
    random = workload.random
    threads = int(random.choice([1, 2, 3, 8, 30]))
    law = log_uniform(int(random.choice([512, 4 * KIB, 64 * KIB, 400 * KIB, 3 * MIB])))
    slots, shifts = int(random.choice([5, 60, 500])), int(random.choice([4, 7, 12]))
    workload.allocate(law(random))
    for _ in range(steps):
        thread, choice = int(random.integers(threads)), random.random()
        if choice < 0.002:
            workload.release(1)
        elif choice < 0.004 and thread:
            workload.end(thread)
        elif len(workload.live) > int(random.integers(1, slots)):
            workload.free_one(thread)
        elif choice < 0.2 and workload.live:
            workload.resize_one(max(law(random), 1), thread)
        elif choice < 0.3:
            workload.allocate(law(random) - 1, thread, Op.CALLOC)
        elif choice < 0.4:
            shift = int(random.integers(shifts + 1))
            workload.allocate(law(random) - 1, thread, Op.MEMALIGN, shift)
        else:
            workload.allocate(law(random) - 1, thread)
    return workload


def tunables(seed: int) -> dict[str, int]:
    """Return random settings of tunables; half of the seeds change none."""
    random = Workload(seed).random
    choices: dict[str, list[int]] = {
        "tcache_count": [0, 1, 3, 20],
        "tcache_max": [0, 100, 500],
        "tcache_unsorted_limit": [1, 5],
        "mxfast": [0, 60, 160],
        "mmap_threshold": [1000, 20_000, 1 << 20],
        "trim_threshold": [0, 70_000, 1 << 20],
        "top_pad": [0, 4096, 1 << 20],
        "mmap_max": [0, 3],
        "arena_max": [1, 2, 5],
        "arena_test": [1, 2],
    }
    names = [str(name) for name in choices if random.random() < 0.25 * (seed % 2)]
    return {name: int(random.choice(choices[name])) for name in names}
