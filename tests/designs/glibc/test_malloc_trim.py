"""malloc_trim: the pages that it releases, and the pages that leave the heap."""

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.raw import store_word
from tests.designs.glibc.conftest import MakeHeap, fill_cache, free, malloc


def test_release_trims_top_of_the_main_arena_to_the_last_page(make_glibc: MakeHeap) -> None:
    heap = make_glibc()
    malloc(heap.state, 100)
    before = operations.footprint(heap.state)
    released = operations.release(heap.state, 1)
    assert released == 135_168 - 4096
    assert operations.footprint(heap.state) == before - released
    assert heap.check() == []


def test_release_of_nothing_does_nothing(make_glibc: MakeHeap) -> None:
    state = make_glibc().state
    malloc(state, 100)
    assert operations.release(state, 0) == 0
    assert operations.footprint(state) == 135_168


def test_release_of_an_empty_heap_does_nothing(make_glibc: MakeHeap) -> None:
    assert operations.release(make_glibc().state, 1) == 0


def test_release_consolidates_fastbins_into_top_first() -> None:
    """More bytes are released than top had before."""
    with Heap("glibc") as heap:
        first, second = heap.malloc(3401), heap.malloc(0)
        heap.free(second)
        heap.thread_done()
        heap.realloc(first, 1)
        parts = heap.profile().parts
        assert (parts["transfer"], parts["free_spans"]) == (32, 131_056)
        assert heap.release(1) == 131_072


def test_release_lets_a_top_of_32_bytes_grow_by_a_page(make_glibc: MakeHeap) -> None:
    state = make_glibc(trim_threshold=1 << 40).state
    malloc(state, 24)
    top = int(state.system[0].next) - int(state.arena[0].top)
    malloc(state, top - 32 - 8)
    assert operations.release(state, 1) == -4096
    assert operations.footprint(state) == 135_168 + 4096


def test_release_consolidates_and_frees_pages_of_every_arena(make_glibc: MakeHeap) -> None:
    heap = make_glibc(mmap_threshold=1 << 30, trim_threshold=1 << 30)
    state = heap.state
    malloc(state, 8)
    objects = malloc(state, *[100_000, 24] * 5, thread=1)
    for address in objects[::2]:
        heap.memory.view(address, 100_000)[:] = b"x" * 100_000
    small = malloc(state, *[100] * 9)
    malloc(state, 24)
    free(state, *small)
    free(state, *objects[::2], thread=1)
    resident, size = heap.resident(), operations.footprint(state)
    released = operations.release(state, 1)
    assert heap.resident() < resident - 400_000
    assert operations.footprint(state) == size - released
    assert int(state.arena[0].fast) == 0
    assert heap.check() == []


def test_pages_that_hold_the_links_of_a_free_chunk_are_kept(make_glibc: MakeHeap) -> None:
    heap = make_glibc(mmap_threshold=1 << 30, trim_threshold=1 << 30)
    state = heap.state
    one, _ = malloc(state, 200_000, 24)
    free(state, one)
    store_word(one + 100_000, 7)
    operations.release(state, 1)
    assert heap.check() == []
    assert malloc(state, 200_000) == [one]


def test_smallest_chunk_with_a_whole_page_releases_it(make_glibc: MakeHeap) -> None:
    heap = make_glibc()
    state = heap.state
    malloc(state, 8)
    malloc(state, 2 * 4096 - 48 - int(state.arena[0].top) % 4096 - 8)
    one, _ = malloc(state, 4096 + 48 - 8, 24)
    heap.memory.view(one, 4096 + 40)[:] = b"x" * (4096 + 40)
    free(state, one)
    malloc(state, 8000)  # sorts the chunk into its bin
    operations.release(state, 1)
    assert bytes(heap.memory.view(one + 32, 4096)) == bytes(4096)
    assert heap.check() == []


def test_cached_chunks_are_not_trimmed(make_glibc: MakeHeap) -> None:
    state = make_glibc().state
    objects = fill_cache(state, 1000)
    operations.release(state, 1)
    assert malloc(state, 1000) == [objects[-1]]
