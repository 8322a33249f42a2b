"""A busy heap of the design tcmalloc, for tests that read all of its records."""

from collections.abc import Iterator

import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.page_release import release_at_least_n_pages
from allocsim.designs.tcmalloc.size_classes import PAGE

SIZES_OF_THREADS = (8, 100, 2800, 20_000)


def many(state: HeapState, count: int, size: int) -> list[int]:
    """Allocate objects on thread 0."""
    return [operations.malloc(state, 0, size) for _ in range(count)]


def put_back(state: HeapState, thread: int, addresses: list[int]) -> None:
    """Free objects on a thread."""
    for address in addresses:
        operations.free(state, thread, address)


@pytest.fixture
def busy_heap() -> Iterator[Heap]:
    """A heap with small and large objects, stacks, and free spans of all kinds.

    Free objects are in thread caches, in the transfer cache and in spans. A large RETURNED span
    comes right before a FREE one.
    """
    with Heap("tcmalloc", reserve=64 << 20, startup="none") as heap:
        keep_busy(heap.state)
        yield heap


@pytest.fixture
def busy_tcmalloc(busy_heap: Heap) -> HeapState:
    """The records of `busy_heap`."""
    return busy_heap.state


def keep_busy(state: HeapState) -> None:
    """Allocate and free until every kind of record is in use."""
    for thread in (0, 1):
        live = [operations.malloc(state, thread, size) for size in SIZES_OF_THREADS * 6]
        put_back(state, 1 - thread, live[::2])
    put_back(state, 0, many(state, 60, 9216))  # some go into the transfer cache in batches
    one, two = many(state, 2, 200 * PAGE)
    shorter = many(state, 16, 40 * PAGE)
    operations.allocate_stack(state, 2 * PAGE)
    put_back(state, 0, [one, *shorter[::4]])
    release_at_least_n_pages(state, 1 << 20)
    put_back(state, 0, [two, *shorter[2::4]])
    # One object comes from the released span, the other from growth at the end of the heap.
    operations.free(state, 0, many(state, 2, 300 * PAGE)[0])
    for thread in (1, 0):
        put_back(state, thread, many(state, 8, 2800)[:3])
