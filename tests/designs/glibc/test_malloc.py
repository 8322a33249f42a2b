"""calloc: the memory that it clears, and the memory that is known to be clear."""

import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.records import HeapState
from tests.designs.glibc.conftest import MakeHeap, free, malloc


@pytest.mark.parametrize("size", [24, 100, 500, 1500, 50_000])
def test_calloc_clears_all_usable_bytes(make_glibc: MakeHeap, size: int) -> None:
    heap = make_glibc(tcache_count=0)
    one, _ = malloc(heap.state, size, 24)
    usable = operations.usable_size(heap.state, one)
    heap.memory.view(one, usable)[:] = b"x" * usable
    free(heap.state, one)
    assert operations.calloc(heap.state, 0, size) == one
    assert bytes(heap.memory.view(one, usable)) == bytes(usable)


def test_calloc_clears_the_part_of_top_that_was_used(glibc_heap: Heap, glibc: HeapState) -> None:
    (one,) = malloc(glibc, 50_000)
    glibc_heap.memory.view(one, 50_000)[:] = b"x" * 50_000
    free(glibc, one)
    assert operations.calloc(glibc, 0, 50_000) == one
    assert bytes(glibc_heap.memory.view(one, 50_000)) == bytes(50_000)


def test_calloc_does_not_touch_fresh_memory(glibc_heap: Heap, glibc: HeapState) -> None:
    malloc(glibc, 100_000)
    before = glibc_heap.resident()
    assert operations.calloc(glibc, 0, 100_000) > 0  # 34 KB of it were in top before
    assert glibc_heap.resident() - before < 50_000
