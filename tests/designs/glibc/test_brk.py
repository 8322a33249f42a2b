"""The break: pages above it are released late, but never when that could be noticed."""

from collections.abc import Callable

from allocsim import Heap
from allocsim.core import operations
from tests.conftest import PAGE
from tests.designs.glibc.conftest import MakeHeap, free, malloc

SIZE, COUNT = 100_000, 6


def trim(heap: Heap) -> None:
    """Fill objects of an empty heap with a byte that is not zero, and free them."""
    objects = malloc(heap.state, *[SIZE] * COUNT)
    for address in objects:
        heap.memory.view(address, SIZE)[:] = b"x" * SIZE
    free(heap.state, *objects[::-1])
    assert int(heap.state.mp_[0].unreleased) - int(heap.state.system[0].next) > 4 * SIZE


def resident_above_break(heap: Heap) -> int:
    """Return the resident bytes where `trim` had the arena, without releasing pages first."""
    begin = int(heap.state.system[0].next)
    return heap.memory.resident(COUNT * SIZE, begin)


def test_pages_above_the_break_are_released_before_memory_is_measured(
    make_glibc: MakeHeap,
) -> None:
    heap = make_glibc()
    trim(heap)
    assert resident_above_break(heap) > 4 * SIZE
    assert heap.resident() <= operations.footprint(heap.state)
    assert resident_above_break(heap) == 0


def test_arena_that_grows_again_keeps_the_pages_above_its_new_break(make_glibc: MakeHeap) -> None:
    heap = make_glibc()
    trim(heap)
    before = resident_above_break(heap)
    malloc(heap.state, 120_000, 120_000)
    above = resident_above_break(heap)
    assert 0 < above < before
    heap.resident()
    assert resident_above_break(heap) == 0


def test_pages_above_the_break_are_released_before_other_memory_is_obtained(
    make_glibc: MakeHeap,
) -> None:
    heap = make_glibc()
    state = heap.state
    operations.thread_begin(state, 0)
    operations.thread_begin(state, 1)
    (mapped,) = malloc(state, 2 << 20)
    requests: dict[str, Callable[[], object]] = {
        "mapping": lambda: malloc(state, 1 << 20),
        "moved mapping": lambda: operations.realloc(state, 0, mapped, 3 << 20),
        "new heap": lambda: malloc(state, 100, thread=1),
        "larger heap": lambda: malloc(state, 120_000, 120_000, thread=1),
    }
    for name, request in requests.items():
        trim(heap)
        assert request(), name
        assert resident_above_break(heap) == 0, name


def test_mapping_where_the_arena_was_is_zero(make_glibc: MakeHeap) -> None:
    heap = make_glibc(reserve=1 << 20)
    trim(heap)
    length = int(heap.state.system[0].limit - heap.state.system[0].next) // PAGE * PAGE
    address = operations.calloc(heap.state, 0, length - PAGE)
    assert int(heap.state.mp_[0].n_mmaps) == 1
    assert bytes(heap.memory.view(address, length - PAGE)).count(0) == length - PAGE


def test_calloc_clears_what_was_above_the_break(make_glibc: MakeHeap) -> None:
    heap = make_glibc()
    trim(heap)
    for address in [operations.calloc(heap.state, 0, SIZE) for _ in range(COUNT)]:
        assert bytes(heap.memory.view(address, SIZE)).count(0) == SIZE
