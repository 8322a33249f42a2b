"""A frozen tcmalloc heap obtains nothing: no pages, and no metadata for records."""

import random
from collections.abc import Callable

import numpy as np
import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.jit import PURE
from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.cache_limit import CACHES_PER_CHUNK
from allocsim.designs.tcmalloc.check_page_heap import spans_of
from allocsim.designs.tcmalloc.pagemap import LEAF_ROWS
from allocsim.designs.tcmalloc.records import SpanState
from allocsim.designs.tcmalloc.size_classes import PAGE
from allocsim.designs.tcmalloc.span import LIST_HEADS, RESERVED_SPANS, SPANS_PER_CHUNK
from tests.calling import malloc
from tests.designs.tcmalloc.lookup import MEDIUM

Request = Callable[[HeapState], int]


def obtained(state: HeapState) -> tuple[int, ...]:
    """Return the end address of a heap's pages, the bytes of heap and the bytes of metadata."""
    system = state.system[0]
    return int(system.next), int(system.heap), int(system.metadata)


def records(state: HeapState) -> list[bytes]:
    """Return all records that these tests use, except `refusal`."""
    tables = (state.counters, state.page_heap, state.static, state.page_map, state.size_class)
    rows = (state.span[: LIST_HEADS + 3000], state.cache[:50], state.free_list[:50])
    return [np.asarray(table).tobytes() for table in (*tables, *rows)]


def leave_span_records(state: HeapState, count: int) -> None:
    """Skip records of the last chunk until `count` are left for more spans."""
    page_heap = state.page_heap[0]
    page_heap.unused_span = 0
    used = int(page_heap.last_span) - LIST_HEADS + RESERVED_SPANS
    page_heap.last_span += -used % SPANS_PER_CHUNK - count


def frozen_with(heap: Heap, count: int) -> HeapState:
    """Return a frozen heap with free spans and room for `count` more span records."""
    state = heap.state
    malloc(state, 8)  # creates a cache, and a size class with free objects
    malloc(state, MEDIUM)
    operations.free(state, 0, malloc(state, 200 * PAGE))
    leave_span_records(state, count)
    operations.freeze(state)
    return state


@pytest.mark.slow
def test_frozen_heap_has_no_metadata_for_thousands_of_stacks(tcmalloc_heap: Heap) -> None:
    state = tcmalloc_heap.state
    operations.free(state, 0, malloc(state, 50 << 20))
    operations.freeze(state)
    before = obtained(state)
    stacks = [operations.allocate_stack(state, PAGE) for _ in range(2800 if PURE else 5900)]
    # Two records belong to the library itself, and one to the rest of the free span.
    assert sum(address != 0 for address in stacks) == SPANS_PER_CHUNK - RESERVED_SPANS - 1
    assert operations.refusal(state) == Status.FROZEN
    assert obtained(state) == before
    assert tcmalloc_heap.check() == []


REQUESTS: dict[str, Request] = {
    "malloc of a new class": lambda state: malloc(state, 100),
    "malloc of pages": lambda state: malloc(state, MEDIUM),
    "calloc": lambda state: operations.calloc(state, 0, 5000),
    "memalign": lambda state: operations.memalign(state, 0, 64, 5000),
    "memalign of pages": lambda state: operations.memalign(state, 0, 4 * PAGE, 1),
    "stack": lambda state: operations.allocate_stack(state, 1),
    "growth": lambda state: malloc(state, 300 << 20),
}
each_request = pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)


@each_request
def test_request_without_a_span_record_fails_and_changes_nothing(
    tcmalloc_heap: Heap, request_: Request
) -> None:
    state = frozen_with(tcmalloc_heap, 0)
    before, records_before = obtained(state), records(state)
    assert request_(state) == 0
    assert operations.refusal(state) == Status.FROZEN
    assert (obtained(state), records(state) == records_before) == (before, True)
    assert tcmalloc_heap.check() == []


@each_request
def test_request_with_enough_span_records_fails_only_if_it_needs_pages(
    tcmalloc_heap: Heap, request_: Request
) -> None:
    state = frozen_with(tcmalloc_heap, 3)
    before = obtained(state)
    assert bool(request_(state)) is (request_ is not REQUESTS["growth"])
    assert obtained(state) == before
    assert tcmalloc_heap.check() == []


@pytest.mark.parametrize("count", [0, 1, 2])
def test_aligned_run_needs_three_records_before_it_starts(tcmalloc_heap: Heap, count: int) -> None:
    state = frozen_with(tcmalloc_heap, count)
    before = records(state)
    assert operations.memalign(state, 0, 4 * PAGE, 1) == 0
    assert operations.refusal(state) == Status.FROZEN
    assert records(state) == before


def test_exact_fit_needs_no_record(tcmalloc_heap: Heap) -> None:
    state = frozen_with(tcmalloc_heap, 0)
    (free,) = [span for span in spans_of(state).values() if span.state == SpanState.FREE]
    assert malloc(state, free.pages * PAGE) == free.address
    assert tcmalloc_heap.check() == []


def test_realloc_without_a_record_leaves_the_object(tcmalloc_heap: Heap) -> None:
    state = tcmalloc_heap.state
    address = malloc(state, 100)
    frozen_with(tcmalloc_heap, 0)
    assert operations.realloc(state, 0, address, MEDIUM) == 0
    assert operations.refusal(state) == Status.FROZEN
    assert operations.inspect(state, address) == Status.OK
    assert tcmalloc_heap.check() == []


def test_merged_spans_leave_records_to_a_frozen_heap(tcmalloc_heap: Heap) -> None:
    state = tcmalloc_heap.state
    objects = [malloc(state, MEDIUM) for _ in range(4)]
    frozen_with(tcmalloc_heap, 0)
    assert malloc(state, MEDIUM + PAGE) == 0
    for address in objects:
        assert operations.free(state, 0, address) == Status.OK
    assert malloc(state, MEDIUM + PAGE)
    assert tcmalloc_heap.check() == []


def test_cache_without_a_record_is_not_created(tcmalloc_heap: Heap) -> None:
    state = tcmalloc_heap.state
    addresses = [malloc(state, 100, thread) for thread in range(CACHES_PER_CHUNK)]
    operations.freeze(state)
    before, records_before = obtained(state), records(state)
    for size in (100, MEDIUM):
        state.system[0].refusal = Status.OK
        assert malloc(state, size, CACHES_PER_CHUNK) == 0
        assert operations.refusal(state) == Status.FROZEN
    assert records(state) == records_before
    assert malloc(state, 100, 3)
    # A thread without a cache can free. The record of an ended thread's cache is reused.
    assert operations.free(state, CACHES_PER_CHUNK, addresses[0]) == Status.OK
    assert operations.thread_done(state, 5) == Status.OK
    assert malloc(state, 100, CACHES_PER_CHUNK)
    assert obtained(state) == before
    assert tcmalloc_heap.check() == []


def test_free_of_a_large_span_needs_no_record(tcmalloc_heap: Heap) -> None:
    state = tcmalloc_heap.state
    objects = [malloc(state, 128 * PAGE) for _ in range(5)]
    operations.freeze(state)
    before = obtained(state)
    assert state.page_heap[0].max_large_spans == 0
    for number in (0, 1, 3, 4):  # two free neighbours are a large span
        assert operations.free(state, 0, objects[number]) == Status.OK
    assert state.page_heap[0].large_spans == 2
    assert obtained(state) == before
    assert tcmalloc_heap.check() == []


def test_growth_of_a_frozen_heap_makes_no_leaf_of_the_page_map() -> None:
    with Heap("tcmalloc", startup="none", reserve=64 << 20, start_page=LEAF_ROWS - 200) as heap:
        malloc(heap.state, MEDIUM)
        operations.freeze(heap.state)
        before = records(heap.state)
        assert malloc(heap.state, 16 << 20) == 0
        assert records(heap.state) == before


Calls = list[tuple[str, int]]
"""Live objects, as pairs of a kind ("object" or "stack") and an address."""


def call_at_random(state: HeapState, rng: random.Random, live: Calls) -> bool:
    """Call any operation with any arguments; return False if an allocation failed."""
    thread, size = rng.randrange(40), int(2 ** rng.uniform(0, 23))
    choice = rng.random()
    if live and choice < 0.45:
        kind, address = live.pop(rng.randrange(len(live)))
        if kind == "stack":
            assert operations.free_stack(state, address) == Status.OK
        else:
            assert operations.free(state, thread, address) == Status.OK
        return True
    if choice < 0.5:
        assert operations.thread_done(state, thread) == Status.OK
        return True
    if choice < 0.55:
        operations.release(state, size)
        return True
    if live and choice < 0.6 and live[-1][0] == "object":
        address = operations.realloc(state, thread, live[-1][1], size)
        live[-1] = ("object", address or live[-1][1])
        return address != 0
    kind, address = "object", 0
    if choice < 0.65:
        kind, address = "stack", operations.allocate_stack(state, size)
    elif choice < 0.75:
        address = operations.memalign(state, thread, 1 << rng.randrange(17), size)
    elif choice < 0.8:
        address = operations.calloc(state, thread, size >> 4)
    else:
        address = malloc(state, size, thread)
    if address:
        live.append((kind, address))
    return bool(address)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_heap_frozen_at_any_moment_obtains_nothing_more(seed: int) -> None:
    rng, live = random.Random(seed), Calls()
    calls = 250 if PURE else 5000
    with Heap("tcmalloc", reserve=1 << 30, startup=rng.choice(("none", "preload"))) as heap:
        state = heap.state
        for _ in range(rng.randrange(calls)):
            call_at_random(state, rng, live)
        if seed % 2:
            leave_span_records(state, rng.randrange(4))
        operations.freeze(state)
        before = obtained(state)
        for number in range(calls):
            if not call_at_random(state, rng, live):
                assert operations.refusal(state) == Status.FROZEN
            assert obtained(state) == before
            if number % (calls // 10) == 0:
                assert heap.check() == []
        assert malloc(state, 512 << 20) == 0
        assert operations.refusal(state) == Status.FROZEN
        assert heap.check() == []
