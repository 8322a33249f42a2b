"""Labels: groups of live objects by size, thread, age, lifetime or call site."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from allocsim.call_sites.table import EMPTY, SiteTable
from allocsim.core.jit import kernel
from allocsim.errors import InputError
from allocsim.explanation.heap_map import HeapMap
from allocsim.explanation.lives import NEVER, Lives
from allocsim.explanation.variants import Match
from allocsim.text import format_bytes

AGES = tuple(1 << power for power in (16, 20, 24, 28, 32))
"""Bounds of the age groups, in bytes allocated since the object's own allocation."""

LONG = 10
"""A lifetime of more than 1/LONG of the events of the trace is long."""

MAX_EXACT_SIZE = 1 << 15
"""Each allocated size up to this one, in bytes, is a group. Larger objects are grouped by powers of
two, because they have too many different sizes."""


NO_SITES = "the recording has no call sites; `allocsim record --sites` records them"
"""Message for a recording whose objects cannot be grouped by call site."""


@dataclass(frozen=True)
class Labels:
    """The group of each live object, in the order of the heap map."""

    by: str
    """The grouping: the value of `Owner.by` for these groups."""
    names: list[str]
    group: np.ndarray
    """int64: index into `names`."""
    match_of: Callable[[int], Match]
    """Returns the Match of a group (see `variants`). The Match finds all objects of the workload
    with the group's label or, for ages and lifetimes, only those in the map."""


def label(by: str, heap: HeapMap, lives: Lives, table: SiteTable = EMPTY) -> Labels:
    """Return the labels for a grouping: a key of MAKERS, or "site".

    The call sites are those of `table`. Raises InputError if `table` has none.
    """
    if by != "site":
        return MAKERS[by](heap, lives)
    if len(table) < 2:
        raise InputError(NO_SITES)
    return _by_site(heap, lives, table)


def _by_site(heap: HeapMap, lives: Lives, table: SiteTable) -> Labels:
    """Group objects by the function and line that allocated them or resized them last."""
    texts = [frame.label for frame in table.groups.frames]  # may repeat, in different modules
    names = list(dict.fromkeys(texts))
    numbers = {name: index for index, name in enumerate(names)}
    merged = np.array([numbers[text] for text in texts])

    def match_of(index: int) -> Match:
        """Match the calls at the sites of a group."""
        return lambda _calls, _first, sites: merged[table.groups_of(sites)] == index

    return Labels("site", names, merged[table.groups_of(lives.site[heap.number])], match_of)


def _by_size(heap: HeapMap, _: Lives) -> Labels:
    """Group objects by allocated size, and large ones by powers of two (see MAX_EXACT_SIZE)."""
    bucket = heap.usable.copy()
    is_large = bucket > MAX_EXACT_SIZE
    bucket[is_large] = MAX_EXACT_SIZE + np.ceil(np.log2(bucket[is_large])).astype(np.int64)
    # Count buckets in a table: np.unique would sort the objects, which would take most of the time.
    is_used = np.bincount(bucket, minlength=1) > 0
    buckets = np.flatnonzero(is_used)
    group = np.take(np.cumsum(is_used) - 1, bucket, out=bucket, mode="clip")
    is_power = buckets > MAX_EXACT_SIZE
    sizes = np.where(is_power, 1 << (buckets - MAX_EXACT_SIZE) * is_power, buckets)

    def match_of(index: int) -> Match:
        """Match requests from the smallest to the largest of the group, in bytes."""
        requests = heap.request[group == index]
        low, high = int(requests.min()), int(requests.max())
        return lambda calls, *_: (calls.request >= low) & (calls.request <= high)

    return Labels("size", [_size_name(size) for size in sizes.tolist()], group, match_of)


def _size_name(size: int) -> str:
    """Return a group's name: `size` or, above MAX_EXACT_SIZE, the range from size / 2 to `size`."""
    if size <= MAX_EXACT_SIZE:
        return f"{size:,} B"
    return f"{format_bytes(size / 2)} to {format_bytes(size)}"


def _by_thread(heap: HeapMap, lives: Lives) -> Labels:
    """Group objects by the thread that allocated them or resized them last."""
    threads, group = np.unique(lives.thread[heap.number], return_inverse=True)
    names = [f"thread {thread}" for thread in threads.tolist()]
    return Labels("thread", names, group, lambda index: partial(_is_by_thread, threads[index]))


def _is_by_thread(thread: int, calls: Any, *_: Any) -> np.ndarray:
    """Match the calls of a thread."""
    matched: np.ndarray = calls.thread == thread
    return matched


def _by_age(heap: HeapMap, lives: Lives) -> Labels:
    """Group objects by the bytes allocated since their own allocation."""
    age = lives.clock - lives.born_clock[heap.number]
    names = [f"older than {format_bytes(AGES[-1])} of allocations"]
    names[0:0] = [f"younger than {format_bytes(bound)} of allocations" for bound in AGES]
    group = np.searchsorted(AGES, age, "right")
    return Labels("age", names, group, _match_live(heap, lives, group))


def _by_lifetime(heap: HeapMap, lives: Lives) -> Labels:
    """Group objects by lifetime: never freed, long (see LONG), or short."""
    names = ["never freed", f"freed after more than 1/{LONG} of the events", "freed sooner"]
    group = np.zeros(len(heap.number), np.int64)
    fill_lifetimes(heap.number, (lives.born, lives.freed), lives.events // LONG, group)
    return Labels("lifetime", names, group, _match_live(heap, lives, group))


@kernel
def fill_lifetimes(
    number: np.ndarray, life: tuple[np.ndarray, np.ndarray], long: int, group: np.ndarray
) -> None:
    """Set the group of each object: 0 if it is never freed, 1 for a long life, 2 for a short one.

    A life of more than `long` events is long. `life` is (born, freed) by object id, in events (see
    `Lives`).
    """
    born, freed = life
    for index in range(len(number)):
        end = freed[number[index]]
        is_long = end - born[number[index]] > long
        group[index] = 0 if end == NEVER else 1 if is_long else 2


def _match_live(heap: HeapMap, lives: Lives, group: np.ndarray) -> Callable[[int], Match]:
    """Return a `Labels.match_of` that finds only those objects of a group that are in the map."""

    def match_of(index: int) -> Match:
        """Match the allocations of the group's objects."""
        born = np.sort(lives.born[heap.number[group == index]])
        return lambda calls, first, _: np.isin(first + np.arange(len(calls)), born)

    return match_of


MAKERS = {"size": _by_size, "thread": _by_thread, "age": _by_age, "lifetime": _by_lifetime}
"""For each grouping, the function that labels objects. For "site", see `label`."""
