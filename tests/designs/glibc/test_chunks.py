"""Chunks: sizes of requests, and where the first objects are."""

import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.records import HeapState
from allocsim.designs.glibc.chunks import request2size
from tests.designs.glibc.conftest import malloc


@pytest.mark.parametrize(
    ("request_", "size"),
    [(0, 32), (24, 32), (25, 48), (40, 48), (41, 64), (120, 128), (121, 144), (1032, 1040)],
)
def test_chunk_holds_the_request_and_eight_bytes(request_: int, size: int) -> None:
    assert request2size(request_) == size


def test_request_too_large_for_any_sum_counts_as_one_that_fails() -> None:
    assert request2size((1 << 63) - 1) == (1 << 62) + 16


def test_first_object_follows_the_block_of_the_cache(glibc_heap: Heap, glibc: HeapState) -> None:
    first, second = malloc(glibc, 100, 1)
    assert (first - glibc_heap.memory.address, second - first) == (0x2A0, 112)


@pytest.mark.parametrize(("size", "usable"), [(0, 24), (24, 24), (25, 40), (1000, 1000)])
def test_usable_size_ends_with_the_first_word_of_the_next_chunk(
    glibc: HeapState, size: int, usable: int
) -> None:
    assert operations.usable_size(glibc, *malloc(glibc, size)) == usable
