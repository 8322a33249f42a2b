"""Heap growth: pages added, metadata, and when all free pages are coalesced before the growth."""

from collections.abc import Callable

import pytest

from allocsim import Heap
from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.metadata import ALLOC_INCREMENT
from allocsim.designs.tcmalloc.page_release import (
    DEFAULT_RELEASE_DELAY,
    GROWTHS_PER_CHUNK,
    delete_run,
    new_run,
    release_at_least_n_pages,
)
from allocsim.designs.tcmalloc.pagemap import LEAF_BYTES
from allocsim.designs.tcmalloc.size_classes import PAGE
from tests.designs.tcmalloc.lookup import FREE, RETURNED, free_lengths, pages_of, unsound

MIB = (1 << 20) // PAGE
"""Pages of a MiB."""


@pytest.mark.parametrize("pages", [1, 127, 128, 129, 1000])
def test_heap_grows_by_128_pages_or_by_what_is_needed(tcmalloc: HeapState, pages: int) -> None:
    assert pages_of(tcmalloc, new_run(tcmalloc, pages)) == [pages]
    assert tcmalloc.system[0].heap == max(pages, 128) * PAGE
    assert tcmalloc.counters[0].grows == 1
    assert tcmalloc.page_heap[0].commit_count == 1
    assert tcmalloc.page_heap[0].total_commit_pages == max(pages, 128)


def test_growth_merges_with_the_free_end_of_the_heap(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    new_run(tcmalloc, 100)
    span = new_run(tcmalloc, 130)
    assert tcmalloc.span[span].address == tcmalloc_heap.memory.address + 100 * PAGE
    assert tcmalloc.system[0].heap == (128 + 130) * PAGE
    assert free_lengths(tcmalloc, FREE) == [28]


def test_growth_counts_as_freed_pages(tcmalloc: HeapState) -> None:
    span = new_run(tcmalloc, 5)
    assert tcmalloc.page_heap[0].scavenge_counter == DEFAULT_RELEASE_DELAY - 128
    delete_run(tcmalloc, span)
    assert tcmalloc.page_heap[0].scavenge_counter == DEFAULT_RELEASE_DELAY - 128 - 5


def test_growth_record_costs_a_chunk_when_the_last_is_full(tcmalloc: HeapState) -> None:
    new_run(tcmalloc, 128)
    for grows, cost in ((1, 0), (GROWTHS_PER_CHUNK - 1, 0), (GROWTHS_PER_CHUNK, ALLOC_INCREMENT)):
        tcmalloc.counters[0].grows = grows
        before = tcmalloc.system[0].footprint - tcmalloc.system[0].heap
        new_run(tcmalloc, 128)
        assert tcmalloc.system[0].footprint - tcmalloc.system[0].heap - before == cost


def test_first_growth_costs_a_leaf_of_the_page_map(tcmalloc: HeapState) -> None:
    before = tcmalloc.system[0].footprint
    new_run(tcmalloc, 128)
    assert tcmalloc.system[0].footprint - before == LEAF_BYTES + 128 * PAGE


def test_growth_is_smaller_at_the_end_of_the_reservation() -> None:
    with Heap("tcmalloc", reserve=(1 << 20) + 7 * PAGE, startup="none") as heap:
        new_run(heap.state, 128)
        assert new_run(heap.state, 8) == 0
        assert heap.state.system[0].refusal == Status.OUT_OF_MEMORY
        assert new_run(heap.state, 7)
        assert (heap.state.counters[0].grows, heap.state.system[0].heap) == (2, 135 * PAGE)
        assert new_run(heap.state, 1) == 0
        assert unsound(heap) == []


def test_frozen_heap_allocates_what_it_has_and_does_not_grow(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    new_run(tcmalloc, 100)
    tcmalloc.system[0].frozen = 1
    assert new_run(tcmalloc, 29) == 0
    assert tcmalloc.system[0].refusal == Status.FROZEN
    assert new_run(tcmalloc, 28)
    assert unsound(tcmalloc_heap) == []


def adjacent_free_spans(state: HeapState, used: int, length: int = 40 * MIB) -> None:
    """Make three adjacent spans: `used` pages in use, `length` RETURNED and `length` FREE."""
    new_run(state, used)
    one, two = new_run(state, length), new_run(state, length)
    delete_run(state, one)
    release_at_least_n_pages(state, length)
    delete_run(state, two)


def test_growth_past_128_mib_coalesces_everything_first(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    adjacent_free_spans(tcmalloc, 47 * MIB)
    span = new_run(tcmalloc, 60 * MIB)
    assert tcmalloc.span[span].address == tcmalloc_heap.memory.address + (47 << 20)
    assert tcmalloc.system[0].heap == 127 << 20
    assert free_lengths(tcmalloc, RETURNED) == [20 * MIB]
    assert free_lengths(tcmalloc, FREE) == []
    assert unsound(tcmalloc_heap) == []


def test_heap_grows_when_coalescing_does_not_suffice(tcmalloc: HeapState) -> None:
    adjacent_free_spans(tcmalloc, 47 * MIB)
    new_run(tcmalloc, 81 * MIB)
    assert tcmalloc.system[0].heap == (127 + 81) << 20
    assert free_lengths(tcmalloc, RETURNED) == [80 * MIB]


def not_past_128_mib(state: HeapState) -> None:
    """Prepare a heap whose growth does not reach the next multiple of 128 MiB."""
    adjacent_free_spans(state, 4 * MIB, 30 * MIB)


def less_than_a_quarter(state: HeapState) -> None:
    """Prepare a heap of which less than a quarter is FREE or RETURNED."""
    adjacent_free_spans(state, 107 * MIB, 10 * MIB)


def all_free(state: HeapState) -> None:
    """Prepare a heap without RETURNED spans."""
    new_run(state, 67 * MIB)
    delete_run(state, new_run(state, 60 * MIB))


def all_returned(state: HeapState) -> None:
    """Prepare a heap without FREE spans."""
    all_free(state)
    release_at_least_n_pages(state, 60 * MIB)


@pytest.mark.parametrize("prepare", [not_past_128_mib, less_than_a_quarter, all_free, all_returned])
def test_growth_releases_nothing_when_it_is_not_worth_it(
    tcmalloc: HeapState, prepare: Callable[[HeapState], None]
) -> None:
    prepare(tcmalloc)
    before = int(tcmalloc.system[0].heap)
    decommit_count = int(tcmalloc.page_heap[0].decommit_count)
    assert new_run(tcmalloc, 61 * MIB)
    assert tcmalloc.system[0].heap == before + (61 << 20)
    assert tcmalloc.page_heap[0].decommit_count == decommit_count
