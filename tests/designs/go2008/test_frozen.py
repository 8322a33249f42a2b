"""A frozen go2008 heap: a call uses free memory of the heap or fails, and never obtains more."""

from collections.abc import Callable

import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.operations import Status
from allocsim.designs.go2008.records import Go2008
from tests.calling import malloc
from tests.conftest import PAGE, Unsound
from tests.designs.go2008.lookup import LARGE_SIZE, SIZES, links, records

ROUNDS = 40
"""Number of calls of each kind, enough to use up the free memory."""

Call = Callable[[Go2008, int], int]
"""A function that makes one call, given the round. Returns an address, or 0 on failure."""

CALLS: dict[str, Call] = {
    "malloc of a class in use": lambda state, n: malloc(state, 3000 if n < 20 else 5000),
    "malloc of every class": lambda state, n: malloc(state, n * 800),
    "malloc of pages": lambda state, n: malloc(state, LARGE_SIZE + n * PAGE),
    "malloc of more than the heap": lambda state, _: malloc(state, 1 << 28),
    "malloc of more than the reservation": lambda state, _: malloc(state, 1 << 40),
    "calloc": lambda state, n: operations.calloc(state, 0, n * 800),
    "memalign of a class": lambda state, n: operations.memalign(state, 0, 64, n * 800),
    "memalign to a page": lambda state, n: operations.memalign(state, 0, PAGE, n * 800),
    "memalign to more": lambda state, n: operations.memalign(state, 0, 4 * PAGE, n * 800),
    "memalign to 1 MiB": lambda state, n: operations.memalign(state, 0, 1 << 20, n * PAGE),
    "stack segment": lambda state, n: operations.allocate_stack(state, n * PAGE),
    "malloc of another thread": lambda state, n: malloc(state, n * 800, thread=1),
}

each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@pytest.fixture
def frozen(state: Go2008) -> Go2008:
    """A heap with free and live objects of some classes and free spans of some lengths."""
    for size in (8, 3000, LARGE_SIZE, 20 * PAGE, 300 * PAGE, 301 * PAGE):
        kept, freed = malloc(state, size), malloc(state, size)
        assert kept
        operations.free(state, 0, freed)
    operations.free_stack(state, operations.allocate_stack(state, 3 * PAGE))
    operations.freeze(state)
    return state


def obtained(state: Go2008) -> list[int]:
    """Return the obtained bytes, the rest of the metadata chunk, and the page map nodes in use."""
    system, static = state.system[0], state.static[0]
    names = ("next", "heap", "metadata", "released", "footprint")
    return [*(int(system[name]) for name in names), int(static.chunk_left), int(static.nodes)]


def contents_of(state: Go2008) -> list[object]:
    """Return the records, and the objects of each free list in place of its record.

    A failed memalign may link objects that were never used. The list's record then changes, but the
    list has the same objects.
    """
    used = range(len(SIZES))
    lists = [links(state, thread, size_class) for thread in (0, 1) for size_class in used]
    return [*records(state)[:-1], lists]


@each_call
def test_nothing_is_obtained_and_the_heap_stays_valid(
    frozen: Go2008, unsound: Unsound, call: Call
) -> None:
    before, spans = obtained(frozen), int(frozen.counters[0].spans)
    results = [call(frozen, n) for n in range(ROUNDS)]
    assert 0 in results
    assert obtained(frozen) == before
    assert frozen.counters[0].spans == spans
    assert unsound() == []


@each_call
def test_call_that_fails_changes_nothing(frozen: Go2008, call: Call) -> None:
    for n in range(ROUNDS):
        before = contents_of(frozen)
        if call(frozen, n) == 0:
            assert operations.refusal(frozen) in (Status.FROZEN, Status.OUT_OF_MEMORY)
            assert contents_of(frozen) == before


@each_call
def test_what_was_allocated_can_be_freed_and_allocated_again(
    frozen: Go2008, unsound: Unsound, call: Call
) -> None:
    before = obtained(frozen)
    for _ in range(2):
        addresses = [call(frozen, n) for n in range(ROUNDS)]
        for address in filter(None, addresses):
            if operations.inspect(frozen, address) == Status.OK:
                assert operations.free(frozen, 0, address) == Status.OK
            else:
                assert operations.free_stack(frozen, address) == Status.OK
    assert (obtained(frozen), unsound()) == (before, [])


@pytest.mark.parametrize("size", [32, 3000, 100_000, 1 << 28])
def test_realloc_uses_what_there_is_or_leaves_the_object(
    frozen: Go2008, unsound: Unsound, size: int
) -> None:
    before, address = obtained(frozen), malloc(frozen, 8)
    for _ in range(ROUNDS):
        address = operations.realloc(frozen, 0, address, size) or address
    assert operations.inspect(frozen, address) == Status.OK
    assert (obtained(frozen), unsound()) == (before, [])


def test_objects_can_be_freed(state: Go2008, unsound: Unsound) -> None:
    objects = [malloc(state, 8), malloc(state, LARGE_SIZE)]
    stack = operations.allocate_stack(state, PAGE)
    operations.freeze(state)
    assert [operations.free(state, 0, address) for address in objects] == [Status.OK] * 2
    assert operations.free_stack(state, stack) == Status.OK
    assert unsound() == []


def test_cached_objects_and_spans_of_the_right_length_are_used(state: Go2008) -> None:
    malloc(state, 8)
    operations.free(state, 0, malloc(state, LARGE_SIZE))
    assert operations.freeze(state) == Status.OK
    assert malloc(state, 8)
    assert malloc(state, LARGE_SIZE)
    assert (malloc(state, 16), malloc(state, LARGE_SIZE)) == (0, 0)
    assert operations.refusal(state) == Status.FROZEN


def test_no_thread_can_begin(heap: Heap) -> None:
    operations.freeze(heap.state)
    before = obtained(heap.state)
    assert operations.thread_begin(heap.state, 0) == Status.FROZEN
    assert heap.state.static[0].threads == 0
    assert (obtained(heap.state), heap.check()) == (before, [])


def test_links_are_written_and_samples_taken_without_memory(frozen: Go2008) -> None:
    before = obtained(frozen)
    operations.flush_deferred_writes(frozen)
    assert operations.release(frozen, 1 << 30) == 0
    assert operations.thread_done(frozen, 0) == Status.OK
    assert obtained(frozen) == before
