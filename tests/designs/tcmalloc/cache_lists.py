"""Helpers that allocate and free on thread 0, and set up a free list of its cache."""

from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.thread_cache import deallocate, fetch_from_central_cache, pop
from tests.designs.tcmalloc.lookup import SIZES, cached, class_for

CLASS, SIZE, BATCH = class_for(64), 64, 32


def allocate(state: HeapState, count: int = 1, size_class: int = CLASS) -> list[int]:
    """Allocate objects on thread 0."""
    return [
        int(pop(state, 0, size_class) or fetch_from_central_cache(state, 0, size_class))
        for _ in range(count)
    ]


def free(state: HeapState, *addresses: int, size_class: int = CLASS) -> None:
    """Free objects on thread 0."""
    for address in addresses:
        deallocate(state, 0, size_class, address)


def list_of(state: HeapState, size_class: int = CLASS) -> tuple[int, int]:
    """Return the length of a list of thread 0 and its max_length."""
    objects = state.free_list[0, size_class]
    assert objects.length == len(cached(state, 0, size_class))
    return int(objects.length), int(objects.max_length)


def cached_size(state: HeapState) -> int:
    """Return the size of the cache of thread 0; require that its lists have this size."""
    found = sum(len(cached(state, 0, number)) * size for number, size in enumerate(SIZES) if number)
    assert state.cache[0].size_ == found
    return found


def with_list(state: HeapState, length: int, max_length: int, size_class: int = CLASS) -> list[int]:
    """Give thread 0 a list with this length and max_length, in a cache with a high max_size.

    Returns other objects of the class, which are in use.
    """
    found = allocate(state, length + 40, size_class)
    state.cache[0].max_size = 1 << 30
    state.static[0].unclaimed_cache_space = state.static[0].overall_thread_cache_size - (1 << 30)
    found += allocate(state, list_of(state, size_class)[0], size_class)
    state.free_list[0, size_class].max_length = 1 << 20
    free(state, *found[:length], size_class=size_class)
    state.free_list[0, size_class].max_length = max_length
    assert list_of(state, size_class) == (length, max_length)
    return found[length:]
