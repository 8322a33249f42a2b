"""Corruptions of spans, for `test_check`: addresses, page map, page lists, counts, metadata."""

import numpy as np

from allocsim.core.memory import Reservation
from allocsim.designs.go2008 import check_page_heap
from allocsim.designs.go2008.page_heap import LARGE_LIST
from allocsim.designs.go2008.pagemap import LEVEL_SIZE, insert_span
from allocsim.designs.go2008.records import Go2008, SpanState
from tests.conftest import PAGE
from tests.corruptions import Corruptions


def spans_in(state: Go2008, wanted: SpanState) -> list[int]:
    """Return the spans in a state, in the order of their numbers."""
    return np.flatnonzero(state.span.state[: int(state.counters[0].spans) + 1] == wanted).tolist()


def free_span(state: Go2008) -> int:
    """Return a free span that is the head of its list."""
    return next(s for s in spans_in(state, SpanState.FREE) if s in state.page_list.head)


def leaf_entry(state: Go2008, page: int) -> tuple[int, int]:
    """Return where a page's entry is in the page map: (leaf node, index in the node)."""
    node = 1
    for shift in (39, 26, 13):
        node = int(state.node[node, (page >> shift) % LEVEL_SIZE])
    return node, page % LEVEL_SIZE


CORRUPTIONS = Corruptions()
breaks = CORRUPTIONS.breaks


@breaks(check_page_heap.spans_tile_the_heap, "span 2 begins at")
def span_moved(state: Go2008, memory: Reservation) -> None:
    state.span[2].address += PAGE


@breaks(check_page_heap.spans_tile_the_heap, "begins at")
def span_too_long(state: Go2008, memory: Reservation) -> None:
    state.span[1].pages += 1


@breaks(check_page_heap.spans_tile_the_heap, "has 0 pages")
def span_empty(state: Go2008, memory: Reservation) -> None:
    state.span[3].pages = 0


@breaks(check_page_heap.spans_tile_the_heap, "begins at")
def two_spans_at_one_address(state: Go2008, memory: Reservation) -> None:
    state.span[4].address = state.span[3].address


@breaks(check_page_heap.spans_tile_the_heap, "spans end at")
def page_obtained_for_no_span(state: Go2008, memory: Reservation) -> None:
    state.system[0].next += PAGE
    state.system[0].heap += PAGE


@breaks(check_page_heap.spans_tile_the_heap, "heap counts")
def heap_miscounted(state: Go2008, memory: Reservation) -> None:
    state.system[0].heap += PAGE


@breaks(check_page_heap.page_map_matches_spans, "is mapped to span 3, expected 1")
def page_of_another_span(state: Go2008, memory: Reservation) -> None:
    state.node[leaf_entry(state, memory.address // PAGE)] = 3


@breaks(check_page_heap.page_map_matches_spans, "is mapped to span 0, expected")
def page_unmapped(state: Go2008, memory: Reservation) -> None:
    state.node[leaf_entry(state, int(state.system[0].next) // PAGE - 1)] = 0


@breaks(check_page_heap.page_map_matches_spans, "outside the heap is mapped to span 1")
def page_after_the_heap_mapped(state: Go2008, memory: Reservation) -> None:
    node, index = leaf_entry(state, int(state.system[0].next) // PAGE - 1)
    assert index < LEVEL_SIZE - 1, "the heap ends at the end of a leaf: no entry after it"
    state.node[node, index + 1] = 1


@breaks(check_page_heap.page_map_matches_spans, "page 0x0 outside the heap")
def page_zero_mapped(state: Go2008, memory: Reservation) -> None:
    insert_span(state, 0, 1, 1)


@breaks(check_page_heap.page_lists_hold_the_free_spans, "but in state 1, not 2 (FREE)")
def span_in_use_listed(state: Go2008, memory: Reservation) -> None:
    state.span[free_span(state)].state = SpanState.IN_USE


@breaks(check_page_heap.page_lists_hold_the_free_spans, "is misplaced on list")
def span_on_the_wrong_list(state: Go2008, memory: Reservation) -> None:
    span = free_span(state)
    listed = min(int(state.span[span].pages), LARGE_LIST)
    state.page_list[listed - 1] = state.page_list[listed]
    state.page_list[listed].head = state.page_list[listed].spans = 0


@breaks(check_page_heap.page_lists_hold_the_free_spans, f"is misplaced on list {LARGE_LIST}")
def large_spans_out_of_order(state: Go2008, memory: Reservation) -> None:
    first = int(state.page_list[LARGE_LIST].head)
    second = int(state.span[first].next)
    state.span[first].next = state.span[second].next
    state.span[second].next = first
    state.page_list[LARGE_LIST].head = second
    state.span[second].pages += 1000


@breaks(check_page_heap.page_lists_hold_the_free_spans, "is listed twice")
def list_is_a_cycle(state: Go2008, memory: Reservation) -> None:
    span = int(state.page_list[LARGE_LIST].head)
    state.span[span].next = span


@breaks(check_page_heap.page_lists_hold_the_free_spans, "is listed twice")
def span_on_two_lists(state: Go2008, memory: Reservation) -> None:
    state.page_list[1] = state.page_list[LARGE_LIST]


@breaks(check_page_heap.page_lists_hold_the_free_spans, "but counts")
def list_miscounted(state: Go2008, memory: Reservation) -> None:
    state.page_list[LARGE_LIST].spans += 1


@breaks(check_page_heap.page_lists_hold_the_free_spans, "in state 2 and on no list")
def free_span_on_no_list(state: Go2008, memory: Reservation) -> None:
    state.span[spans_in(state, SpanState.STACK)[0]].state = SpanState.FREE


@breaks(check_page_heap.span_counts_agree, "free spans counted")
def free_spans_miscounted(state: Go2008, memory: Reservation) -> None:
    state.counters[0].free_spans += 1


@breaks(check_page_heap.span_counts_agree, "free pages counted")
def free_pages_miscounted(state: Go2008, memory: Reservation) -> None:
    state.static[0].free_pages -= 1


@breaks(check_page_heap.span_counts_agree, "large pages counted")
def large_pages_miscounted(state: Go2008, memory: Reservation) -> None:
    state.counters[0].large_pages += 1


@breaks(check_page_heap.free_spans_are_zero, "is not all zeros")
def last_byte_of_a_free_span_written(state: Go2008, memory: Reservation) -> None:
    record = state.span[free_span(state)]
    memory.view(int(record.address + record.pages * PAGE) - 1, 1)[0] = 1


@breaks(check_page_heap.null_records_are_zero, "null node")
def null_node_written(state: Go2008, memory: Reservation) -> None:
    state.node[0, LEVEL_SIZE - 1] = 1


@breaks(check_page_heap.metadata_covers_the_records, "not a multiple of the chunk size")
def metadata_miscounted(state: Go2008, memory: Reservation) -> None:
    state.system[0].metadata += 16


@breaks(check_page_heap.metadata_covers_the_records, "bytes of metadata, but")
def chunk_used_without_being_counted(state: Go2008, memory: Reservation) -> None:
    state.static[0].chunk_left = 1 << 20


@breaks(check_page_heap.metadata_covers_the_records, "bytes of metadata, but")
def chunk_never_counted(state: Go2008, memory: Reservation) -> None:
    state.system[0].metadata -= 1 << 20
