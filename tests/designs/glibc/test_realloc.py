"""realloc and memalign: objects that stay, move or are mapped, and parts that are split off."""

from allocsim.core import operations
from allocsim.core.records import HeapState
from tests.calling import measured
from tests.designs.glibc.conftest import MakeHeap, fill_cache, free, malloc


def realloc(state: HeapState, address: int, size: int, thread: int = 0) -> int:
    """Resize an object."""
    return operations.realloc(state, thread, address, size)


def test_object_grows_into_top(glibc: HeapState) -> None:
    (one,) = malloc(glibc, 1000)
    assert realloc(glibc, one, 50_000) == one
    assert int(glibc.arena[0].top) == one - 16 + 50_016


def test_object_grows_into_a_free_chunk_and_frees_the_rest(glibc: HeapState) -> None:
    one, other, _ = malloc(glibc, 2000, 3000, 24)
    free(glibc, other)
    assert realloc(glibc, one, 3000) == one
    assert int(glibc.arena[0].binned) == 2016 + 3008 - 3008


def test_object_grows_into_a_free_chunk_of_exactly_the_missing_size(glibc: HeapState) -> None:
    one, other, _ = malloc(glibc, 2000, 3000, 24)
    free(glibc, other)
    assert realloc(glibc, one, 2016 + 3008 - 16) == one
    assert int(glibc.arena[0].binned) == 0


def test_growing_object_does_not_take_from_the_cache(glibc: HeapState) -> None:
    one, _ = malloc(glibc, 24, 24)
    objects = fill_cache(glibc, 100)
    malloc(glibc, 24)
    moved = realloc(glibc, one, 100)
    assert moved not in objects
    assert malloc(glibc, 24) == [one]


def test_tail_of_a_shrunk_object_goes_to_the_cache(glibc: HeapState) -> None:
    (one,) = malloc(glibc, 1000)
    assert realloc(glibc, one, 900) == one
    assert malloc(glibc, 80) == [one + 912]


def test_object_that_shrinks_by_less_than_a_chunk_stays(glibc: HeapState) -> None:
    (one,) = malloc(glibc, 1000)
    assert realloc(glibc, one, 985) == one
    assert operations.usable_size(glibc, one) == 1000


def test_next_chunk_found_by_the_search_is_merged(make_glibc: MakeHeap) -> None:
    state = make_glibc(top_pad=0, tcache_count=0).state
    one, two, _ = malloc(state, 24, 104, 5000)
    free(state, two)  # into a fastbin, where it counts as in use
    assert realloc(state, one, 100) == one
    assert operations.usable_size(state, one) == 104
    assert int(state.arena[0].fast) == 32  # what is left of the two merged chunks


def test_mapping_is_resized_and_stays_a_mapping(glibc: HeapState) -> None:
    (one,) = malloc(glibc, 1 << 20)
    smaller = realloc(glibc, one, 100)
    assert (smaller, int(glibc.mp_[0].mmapped_mem)) == (one, 4096)
    larger = realloc(glibc, smaller, 300_000)
    assert int(glibc.mp_[0].mmapped_mem) == 303_104
    assert int(glibc.mp_[0].mmap_threshold) == 131_072
    free(glibc, larger)
    assert int(glibc.mp_[0].mmapped_mem) == 0


def test_mapping_holds_the_chunk_and_eight_bytes(glibc: HeapState) -> None:
    (one,) = malloc(glibc, 1 << 20)
    one = realloc(glibc, one, 8192 - 8)
    assert int(glibc.mp_[0].mmapped_mem) == 3 * 4096
    realloc(glibc, one, 8192 - 24)
    assert int(glibc.mp_[0].mmapped_mem) == 2 * 4096


def test_head_of_32_bytes_is_split_off_an_aligned_object(glibc: HeapState) -> None:
    before = malloc(glibc, 24, 24)[-1]
    address = operations.memalign(glibc, 0, 64, 100)
    assert (address % 64, address - before) == (0, 32 + 32)
    assert malloc(glibc, 24) == [before + 32]


def test_tail_of_32_bytes_stays_in_an_aligned_object(glibc: HeapState) -> None:
    before = malloc(glibc, 40, 40, 40)[-1]
    address = operations.memalign(glibc, 0, 64, 100)
    # The chunk that was allocated starts 80 bytes before the aligned one.
    assert (address % 64, address - before) == (0, 48 + 80)
    assert operations.usable_size(glibc, address) == 104 + 32


def test_aligned_object_is_cut_out_and_both_ends_are_freed(glibc: HeapState) -> None:
    malloc(glibc, 24)
    address = operations.memalign(glibc, 0, 512, 100)
    assert address % 512 == 0
    assert operations.usable_size(glibc, address) == 104
    assert measured(glibc).thread_cache == 112 + 512 + 48 - 112


def test_aligned_mapping_keeps_the_bytes_before_it(glibc: HeapState) -> None:
    address = operations.memalign(glibc, 0, 1024, 200_000)
    assert address % 1024 == 0
    assert operations.usable_size(glibc, address) == 204_800 - 1008 - 16
    free(glibc, address)
    # The threshold is the size of the chunk, without the bytes before it.
    assert int(glibc.mp_[0].mmap_threshold) == 204_800 - 1008


def test_aligned_mapping_is_resized_with_the_bytes_before_it(glibc: HeapState) -> None:
    address = operations.memalign(glibc, 0, 2048, 200_000)
    assert int(glibc.mp_[0].mmapped_mem) == 204_800
    realloc(glibc, address, 3 * 4096 - 100)  # 4 pages, including the 2,032 bytes before the chunk
    assert int(glibc.mp_[0].mmapped_mem) == 4 * 4096


def test_object_grows_into_top_up_to_its_last_32_bytes(glibc: HeapState) -> None:
    (one,) = malloc(glibc, 1000)
    room = int(glibc.system[0].next) - (one - 16)
    assert realloc(glibc, one, room - 32 - 8) == one
    assert int(glibc.system[0].next) - int(glibc.arena[0].top) == 32
    assert int(glibc.arena[0].system_mem) == 135_168


def test_alignment_of_16_bytes_is_a_plain_request(glibc: HeapState) -> None:
    objects = fill_cache(glibc, 100)
    assert operations.memalign(glibc, 0, 16, 100) == objects[-1]
