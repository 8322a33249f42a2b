"""Heaps of the design glibc."""

from collections.abc import Callable, Iterator

import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.records import HeapState

MakeHeap = Callable[..., Heap]


@pytest.fixture
def make_glibc() -> Iterator[MakeHeap]:
    """A function that makes heaps of 4 GiB with given parameters."""
    heaps: list[Heap] = []

    def make(reserve: int = 4 << 30, **parameters: int | str) -> Heap:
        heaps.append(Heap("glibc", reserve=reserve, **parameters))
        return heaps[-1]

    yield make
    for heap in heaps:
        heap.close()


@pytest.fixture
def glibc_heap(make_glibc: MakeHeap) -> Heap:
    """An empty heap with the default parameters."""
    return make_glibc()


@pytest.fixture
def glibc(glibc_heap: Heap) -> HeapState:
    """The state of `glibc_heap`."""
    return glibc_heap.state


@pytest.fixture
def busy_heap(make_glibc: MakeHeap) -> Heap:
    """A heap with mappings, chunks on every kind of list, and three arenas (one has two heaps)."""
    heap = make_glibc(mmap_threshold=4 << 20, trim_threshold=1 << 30)
    keep_busy(heap.state)
    return heap


def keep_busy(state: HeapState) -> None:
    """Allocate and free until every kind of record is in use."""
    for thread in (0, 1, 2):
        operations.thread_begin(state, thread)
        sizes = [24, 100, 100, 500, 1500, 1500, 1500, 1508, 3200, 3300, 40_000] * 9
        live = [operations.malloc(state, thread, size) for size in sizes]
        for address in live[::2]:
            operations.free(state, thread, address)
        operations.malloc(state, thread, 50_000)  # sorts the unsorted list
        for address in live[1::4]:
            operations.free(state, thread, address)
    for size in (3 << 20,) * 24:
        operations.malloc(state, 1, size)
    mapped = [operations.malloc(state, 0, 5 << 20) for _ in range(7)]
    for address in (mapped[1], mapped[2], mapped[4]):
        operations.free(state, 0, address)
    operations.memalign(state, 0, 1 << 16, 5 << 20)
    operations.allocate_stack(state, 10_000)
    operations.thread_done(state, 2)
    for address in [operations.malloc(state, 0, 40) for _ in range(30)]:
        operations.free(state, 0, address)


def malloc(state: HeapState, *sizes: int, thread: int = 0) -> list[int]:
    """Allocate objects on a thread."""
    return [operations.malloc(state, thread, size) for size in sizes]


def free(state: HeapState, *addresses: int, thread: int = 0) -> None:
    """Free objects on a thread."""
    for address in addresses:
        assert operations.free(state, thread, address) == 0


def fill_cache(state: HeapState, size: int, thread: int = 0) -> list[int]:
    """Fill a thread's cache with seven chunks for objects of a size; return the objects."""
    objects = malloc(state, *[size] * 7, thread=thread)
    free(state, *objects, thread=thread)
    return objects


def arenas(state: HeapState, *threads: int) -> list[int]:
    """Let each thread allocate; return the arenas of the threads."""
    for thread in threads:
        operations.thread_begin(state, thread)
        malloc(state, 8, thread=thread)
    return [int(state.thread[thread].arena) - 1 for thread in threads]
