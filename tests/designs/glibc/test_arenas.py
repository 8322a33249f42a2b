"""Arenas: the arena that a thread gets, and how its heaps grow and shrink."""

import pytest

from allocsim.core import operations
from allocsim.core.records import HeapState
from allocsim.designs.glibc.check_chunks import slots_of
from allocsim.designs.glibc.stats import top_size
from tests.designs.glibc.conftest import MakeHeap, arenas, free, malloc


def test_first_thread_that_allocates_has_the_main_arena(glibc: HeapState) -> None:
    assert arenas(glibc, 1, 0, 2) == [0, 1, 2]


def test_new_arena_starts_with_135168_bytes_and_its_headers(glibc: HeapState) -> None:
    arenas(glibc, 0, 1)
    (first,) = malloc(glibc, 100, thread=1)
    assert int(glibc.arena[1].system_mem) == 135_168
    assert first % (64 << 20) == 2256 + 656 + 32 + 16


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"arena_max": 1}, [0, 0, 0, 0, 0]),
        ({"arena_max": 3}, [0, 1, 2, 0, 2]),
        ({"arena_test": 1, "cores": 1}, [0, 1, 2, 3, 4]),
    ],
)
def test_arenas_beyond_the_limit_are_shared_from_the_newest(
    make_glibc: MakeHeap, parameters: dict[str, int], expected: list[int]
) -> None:
    assert arenas(make_glibc(**parameters).state, *range(5)) == expected


def test_limit_is_eight_for_each_core(make_glibc: MakeHeap) -> None:
    state = make_glibc(cores=1).state
    arenas(state, *range(20))
    # The limit is computed only when there are more than arena_test arenas: 8 by default.
    assert int(state.mp_[0].narenas) == 9
    state = make_glibc(cores=2).state
    arenas(state, *range(20))
    assert int(state.mp_[0].narenas) == 16


def test_arena_of_an_ended_thread_is_used_again_newest_first(glibc: HeapState) -> None:
    arenas(glibc, 0, 1, 2, 3)
    for thread in (1, 3):
        operations.thread_done(glibc, thread)
    assert arenas(glibc, 4, 5, 6) == [3, 1, 4]


def test_freed_chunk_goes_back_to_its_own_arena(glibc: HeapState) -> None:
    arenas(glibc, 0, 1)
    (large, _) = malloc(glibc, 5000, 24, thread=1)
    free(glibc, large, thread=0)
    assert int(glibc.arena[1].binned) == 5008


def test_arena_grows_by_what_is_needed_without_padding(glibc: HeapState) -> None:
    arenas(glibc, 0, 1)
    malloc(glibc, 120_000, 120_000, thread=1)
    top = int(glibc.arena[1].top)
    assert int(glibc.arena[1].system_mem) == (top % (64 << 20) + 32 + 4095) // 4096 * 4096


def test_full_heap_gets_a_successor_and_fence_posts(make_glibc: MakeHeap) -> None:
    heap = make_glibc(mmap_threshold=1 << 30, trim_threshold=1 << 30)
    state = heap.state
    arenas(state, 0, 1)
    objects = malloc(state, *[30 << 20] * 3, thread=1)
    assert objects[2] % (64 << 20) == 48 + 16
    assert int(state.arena[1].fixed) == 2256 + 48 + 32
    assert heap.check() == []


def test_rest_of_32_bytes_before_the_fence_posts_is_freed(make_glibc: MakeHeap) -> None:
    state = make_glibc(mmap_threshold=1 << 30).state
    arenas(state, 0, 1)
    malloc(state, top_size(state, 1) - 64 - 8, thread=1)
    rest = int(state.arena[1].top) + 16
    malloc(state, (64 << 20) - 4096, thread=1)  # gets a new heap
    assert int(state.arena[1].fixed) == 2256 + 48 + 32
    assert malloc(state, 24, thread=1) == [rest]


def test_new_heap_has_room_for_the_request_its_header_and_the_padding(
    make_glibc: MakeHeap,
) -> None:
    state = make_glibc(mmap_threshold=1 << 30, trim_threshold=1 << 30).state
    arenas(state, 0, 1)
    # The heap's header (48 bytes), the chunk and a top of 32 bytes sum to 40 MiB + 16 bytes.
    chunk = (40 << 20) - 64
    malloc(state, chunk - 8, chunk - 8, thread=1)
    newest = slots_of(state, 1)[0]
    assert int(state.heap_info[newest].size_) == (40 << 20) + 4096 + 131_072


def test_heap_that_is_all_top_is_deleted(make_glibc: MakeHeap) -> None:
    heap = make_glibc(mmap_threshold=1 << 30)
    state = heap.state
    arenas(state, 0, 1)
    objects = malloc(state, *[30 << 20] * 3, thread=1)
    before = int(state.arena[1].system_mem)
    free(state, objects[2], objects[1])
    assert int(state.arena[1].system_mem) < before - (30 << 20)
    assert int(state.arena[1].fixed) == 2256
    assert heap.check() == []


def test_heap_stays_while_the_one_before_it_has_no_room_for_a_top(make_glibc: MakeHeap) -> None:
    heap = make_glibc(mmap_threshold=1 << 30)
    state = heap.state
    arenas(state, 0, 1)
    malloc(state, 40 << 20, thread=1)
    left = (64 << 20) - int(state.arena[1].top) % (64 << 20)
    (last,) = malloc(state, left - 32 - 8, thread=1)  # leaves a top of 32 bytes, the minimum
    (other,) = malloc(state, 1 << 20, thread=1)
    free(state, other)
    assert len(slots_of(state, 1)) == 2
    free(state, last, *malloc(state, 1 << 20, thread=1))
    assert len(slots_of(state, 1)) == 1
    assert heap.check() == []


@pytest.mark.parametrize(("room", "heaps"), [(131_072 + 32 + 4080, 2), (131_072 + 32 + 4096, 1)])
def test_heap_is_deleted_if_the_one_before_it_has_room_for_padding_and_a_page(
    make_glibc: MakeHeap, room: int, heaps: int
) -> None:
    state = make_glibc(mmap_threshold=1 << 30).state
    arenas(state, 0, 1)
    malloc(state, 40 << 20, thread=1)
    left = (64 << 20) - int(state.arena[1].top) % (64 << 20)
    malloc(state, left - room - 8, thread=1)
    free(state, *malloc(state, 1 << 20, thread=1))
    assert len(slots_of(state, 1)) == heaps


def test_trimmed_top_of_another_arena_is_larger_than_padding_and_32_bytes(
    make_glibc: MakeHeap,
) -> None:
    state = make_glibc(mmap_threshold=1 << 30).state
    arenas(state, 0, 1)
    offset = int(state.arena[1].top) % 4096
    malloc(state, 2 * 4096 - 32 - offset - 8, thread=1)
    free(state, *malloc(state, 400_000, thread=1))
    assert top_size(state, 1) == 131_072 + 32 + 4096


def test_top_of_another_arena_is_trimmed_from_the_threshold_on(make_glibc: MakeHeap) -> None:
    def after(threshold: int) -> tuple[int, int]:
        """Return the bytes of top and of the arena after most of the arena was freed."""
        state = make_glibc(trim_threshold=threshold).state
        arenas(state, 0, 1)
        objects = malloc(state, *[100_000] * 4, thread=1)
        free(state, *objects[:0:-1])
        size = int(state.arena[1].system_mem)
        return size - int(state.arena[1].top) % (64 << 20), size

    top, size = after(1 << 40)
    assert after(top + 1)[1] == size
    assert after(top)[1] == size - (top - 33 - 131_072) // 4096 * 4096


def test_new_heap_has_at_least_32_kib(make_glibc: MakeHeap) -> None:
    state = make_glibc(top_pad=0).state
    arenas(state, 0, 1)
    assert int(state.arena[1].system_mem) == 32 << 10


def test_request_larger_than_a_heap_gets_a_mapping(make_glibc: MakeHeap) -> None:
    state = make_glibc(mmap_threshold=1 << 40).state
    arenas(state, 0, 1)
    malloc(state, 65 << 20, thread=1)
    assert int(state.mp_[0].n_mmaps) == 1


def test_failed_request_creates_an_arena_only_in_a_process_with_threads(
    make_glibc: MakeHeap,
) -> None:
    state = make_glibc(reserve=256 << 20).state
    assert malloc(state, 300 << 20) == [0]
    assert int(state.mp_[0].narenas) == 1
    operations.thread_begin(state, 1)
    assert malloc(state, 300 << 20) == [0]
    assert int(state.mp_[0].narenas) == 2


def test_request_that_fails_in_another_arena_is_served_by_the_main_arena(glibc: HeapState) -> None:
    arenas(glibc, 0, 1)
    big, _ = malloc(glibc, 100_000, 24)
    free(glibc, big)
    operations.freeze(glibc)
    (own,) = malloc(glibc, 100_000, thread=1)
    assert own > big
    assert malloc(glibc, 100_000, thread=1) == [big]


def test_process_without_room_for_an_arena_uses_mappings(make_glibc: MakeHeap) -> None:
    heap = make_glibc(reserve=4 << 20)
    arenas(heap.state, 0)
    operations.thread_begin(heap.state, 1)
    assert malloc(heap.state, 100, thread=1) != [0]
    assert int(heap.state.mp_[0].n_mmaps) == 2  # the block of the cache, and the object
    operations.thread_done(heap.state, 1)
    assert int(heap.state.mp_[0].n_mmaps) == 1
    assert heap.check() == []
