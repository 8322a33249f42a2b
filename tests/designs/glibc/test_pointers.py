"""The Status that free and inspect return for addresses that are not objects."""

from collections.abc import Callable

import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.operations import Status
from allocsim.core.raw import store_word
from allocsim.core.records import HeapState
from tests.designs.glibc.conftest import MakeHeap, fill_cache, free, malloc

Place = Callable[[HeapState], int]

WRONG: dict[str, Place] = {
    "null": lambda _: 0,
    "negative": lambda _: -16,
    "beyond the heap": lambda state: int(state.mp_[0].start) + (1 << 40),
    "never obtained": lambda state: int(state.system[0].next) + 4096,
    "misaligned": lambda state: malloc(state, 100)[0] + 8,
    "inside an object": lambda state: malloc(state, 100)[0] + 16,
    "inside a mapping": lambda state: malloc(state, 1 << 20)[0] + 4096,
    "top": lambda state: malloc(state, 100)[0] + 112,
    "stack": lambda state: operations.allocate_stack(state, 10_000),
    "freed mapping": lambda state: freed(state, 1 << 20),
    "part of top": lambda state: freed(state, 5000),
}


def freed(state: HeapState, size: int) -> int:
    """Return an object that has been freed."""
    (address,) = malloc(state, size)
    free(state, address)
    return address


@pytest.mark.parametrize("place", WRONG.values(), ids=WRONG)
def test_address_that_is_no_object_is_refused_and_changes_nothing(
    glibc_heap: Heap, glibc: HeapState, place: Place
) -> None:
    malloc(glibc, 8)
    address = place(glibc)
    before = (glibc.mp_.tobytes(), glibc.arena.tobytes(), glibc.tcache.tobytes())
    assert operations.free(glibc, 0, address) != Status.OK
    assert operations.usable_size(glibc, address) == 0
    assert operations.realloc(glibc, 0, address, 100) == 0
    assert operations.inspect(glibc, address) != Status.OK
    after = (glibc.mp_.tobytes(), glibc.arena.tobytes(), glibc.tcache.tobytes())
    assert (before, glibc_heap.check()) == (after, [])


@pytest.mark.parametrize(
    ("offset", "status"), [(32, Status.OK), (48, Status.UNKNOWN_POINTER), (64, Status.OK)]
)
def test_object_of_a_mapping_is_at_a_power_of_two_in_its_page(
    glibc: HeapState, offset: int, status: Status
) -> None:
    start = malloc(glibc, 1 << 20)[0] - 16
    length = int(glibc.mp_[0].mmapped_mem)
    store_word(start + offset - 16, offset - 16)
    store_word(start + offset - 8, (length - (offset - 16)) | 2)
    assert operations.free(glibc, 0, start + offset) == status


def test_chunk_in_the_cache_is_not_freed_again(glibc: HeapState) -> None:
    objects = fill_cache(glibc, 100)
    for address in objects:
        assert operations.free(glibc, 0, address) == Status.UNKNOWN_POINTER


def test_chunk_at_the_front_of_a_fastbin_is_not_freed_again(make_glibc: MakeHeap) -> None:
    state = make_glibc(tcache_count=0).state
    address = freed(state, 100)
    before = state.arena.tobytes()
    assert operations.free(state, 0, address) == Status.UNKNOWN_POINTER
    assert state.arena.tobytes() == before


def test_free_chunk_of_a_bin_is_not_freed_again(glibc: HeapState) -> None:
    one, _ = malloc(glibc, 5000, 24)
    free(glibc, one)
    assert operations.free(glibc, 0, one) == Status.UNKNOWN_POINTER


def test_top_is_refused_whatever_follows_the_end_of_memory(glibc: HeapState) -> None:
    malloc(glibc, 100)
    store_word(int(glibc.system[0].next) + 8, 1)
    address = int(glibc.arena[0].top) + 16
    assert operations.free(glibc, 0, address) == Status.UNKNOWN_POINTER


def test_key_of_the_cache_in_an_object_does_not_prevent_its_free(glibc: HeapState) -> None:
    one, other = malloc(glibc, 100, 100)
    free(glibc, one)
    store_word(other + 8, 0x5DEECE66DA7C11E5)
    assert operations.free(glibc, 0, other) == Status.OK


@pytest.mark.parametrize(
    ("size", "fast", "binned"), [(100, 112, 0), (500, 0, 512), (5000, 0, 5008)]
)
def test_object_with_the_key_is_freed_once_if_the_cache_does_not_take_it(
    glibc_heap: Heap, glibc: HeapState, size: int, fast: int, binned: int
) -> None:
    one, *objects, _ = malloc(glibc, size, *[min(size, 500)] * 7, 24)
    free(glibc, *objects)  # fills the list of each size that is cached
    store_word(one + 8, 0x5DEECE66DA7C11E5)
    assert operations.free(glibc, 0, one) == Status.OK
    assert (int(glibc.arena[0].fast), int(glibc.arena[0].binned)) == (fast, binned)
    assert operations.free(glibc, 0, one) == Status.UNKNOWN_POINTER
    assert (malloc(glibc, *[min(size, 500)] * 7), glibc_heap.check()) == (objects[::-1], [])


@pytest.mark.parametrize("size", [8, 500, 5000])
@pytest.mark.parametrize("thread", [0, 1])
def test_inspect_knows_objects_and_free_chunks(glibc: HeapState, size: int, thread: int) -> None:
    malloc(glibc, 8)
    address, _ = malloc(glibc, size, 24, thread=thread)
    assert operations.inspect(glibc, address) == Status.OK
    assert operations.inspect(glibc, address + 16) == Status.NOT_OBJECT_START
    free(glibc, address, thread=thread)
    assert operations.inspect(glibc, address) == Status.OK


def test_inspect_knows_mappings(glibc: HeapState) -> None:
    address = operations.memalign(glibc, 0, 1 << 14, 1 << 20)
    assert operations.inspect(glibc, address) == Status.OK
    assert operations.inspect(glibc, address + 4096) == Status.NOT_SPAN_START


def test_inspect_knows_older_heaps_of_an_arena(make_glibc: MakeHeap) -> None:
    state = make_glibc(mmap_threshold=1 << 30).state
    malloc(state, 8)
    objects = malloc(state, *[30 << 20] * 5, thread=1)
    assert [operations.inspect(state, address) for address in objects] == [Status.OK] * 5
    assert operations.inspect(state, objects[0] + 4096) == Status.NOT_OBJECT_START
    fence = (objects[0] | ((64 << 20) - 1)) + 1 - 16
    assert operations.inspect(state, fence) == Status.UNKNOWN_POINTER
