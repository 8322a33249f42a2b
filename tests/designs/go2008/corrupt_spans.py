"""Corruptions of spans, for `test_check`: their places, the page map, their lists and counts."""

import numpy as np

from allocsim.core.memory import Reservation
from allocsim.core.records import HeapState
from allocsim.designs.go2008 import check
from allocsim.designs.go2008.page_heap import LONG
from allocsim.designs.go2008.pagemap import ENTRIES, enter
from allocsim.designs.go2008.records import SpanState
from tests.conftest import PAGE
from tests.corruptions import Corruptions


def spans_in(state: HeapState, wanted: SpanState) -> list[int]:
    """The spans in a state, in the order of their numbers."""
    return np.flatnonzero(state.span.state[: int(state.counters[0].spans) + 1] == wanted).tolist()


def free_span(state: HeapState) -> int:
    """A free span that is first on its list."""
    return next(s for s in spans_in(state, SpanState.FREE) if s in state.page_list.head)


def leaf_entry(state: HeapState, page: int) -> tuple[int, int]:
    """Where in the table of nodes the entry of a page is."""
    node = 1
    for shift in (39, 26, 13):
        node = int(state.node[node, (page >> shift) % ENTRIES])
    return node, page % ENTRIES


CORRUPTIONS = Corruptions()
speaks = CORRUPTIONS.speaks


@speaks(check.spans_tile_the_heap, "span 2 begins at")
def span_moved(state: HeapState, memory: Reservation) -> None:
    state.span[2].address += PAGE


@speaks(check.spans_tile_the_heap, "begins at")
def span_too_long(state: HeapState, memory: Reservation) -> None:
    state.span[1].pages += 1


@speaks(check.spans_tile_the_heap, "has 0 pages")
def span_empty(state: HeapState, memory: Reservation) -> None:
    state.span[3].pages = 0


@speaks(check.spans_tile_the_heap, "begins at")
def two_spans_at_one_place(state: HeapState, memory: Reservation) -> None:
    state.span[4].address = state.span[3].address


@speaks(check.spans_tile_the_heap, "spans end at")
def page_handed_out_to_no_span(state: HeapState, memory: Reservation) -> None:
    state.system[0].next += PAGE
    state.system[0].heap += PAGE


@speaks(check.spans_tile_the_heap, "heap counts")
def heap_miscounted(state: HeapState, memory: Reservation) -> None:
    state.system[0].heap += PAGE


@speaks(check.page_map_matches_spans, "leads to span 3, expected 1")
def page_of_another_span(state: HeapState, memory: Reservation) -> None:
    state.node[leaf_entry(state, memory.address // PAGE)] = 3


@speaks(check.page_map_matches_spans, "leads to span 0, expected")
def page_forgotten(state: HeapState, memory: Reservation) -> None:
    state.node[leaf_entry(state, int(state.system[0].next) // PAGE - 1)] = 0


@speaks(check.page_map_matches_spans, "is no span's and leads to span 1")
def page_behind_the_heap_entered(state: HeapState, memory: Reservation) -> None:
    node, index = leaf_entry(state, int(state.system[0].next) // PAGE - 1)
    assert index < ENTRIES - 1, "the heap ends on a leaf's border: no entry behind it"
    state.node[node, index + 1] = 1


@speaks(check.page_map_matches_spans, "page 0x0 is no span's")
def page_zero_entered(state: HeapState, memory: Reservation) -> None:
    enter(state, 0, 1, 1)


@speaks(check.page_lists_hold_the_free_spans, "in state 1")
def span_in_use_listed(state: HeapState, memory: Reservation) -> None:
    state.span[free_span(state)].state = SpanState.IN_USE


@speaks(check.page_lists_hold_the_free_spans, "is misplaced on list")
def span_on_the_wrong_list(state: HeapState, memory: Reservation) -> None:
    span = free_span(state)
    listed = min(int(state.span[span].pages), LONG)
    state.page_list[listed - 1] = state.page_list[listed]
    state.page_list[listed].head = state.page_list[listed].spans = 0


@speaks(check.page_lists_hold_the_free_spans, f"is misplaced on list {LONG}")
def long_spans_out_of_order(state: HeapState, memory: Reservation) -> None:
    first = int(state.page_list[LONG].head)
    second = int(state.span[first].next)
    state.span[first].next = state.span[second].next
    state.span[second].next = first
    state.page_list[LONG].head = second
    state.span[second].pages += 1000


@speaks(check.page_lists_hold_the_free_spans, "is listed twice")
def list_runs_in_a_circle(state: HeapState, memory: Reservation) -> None:
    span = int(state.page_list[LONG].head)
    state.span[span].next = span


@speaks(check.page_lists_hold_the_free_spans, "is listed twice")
def span_on_two_lists(state: HeapState, memory: Reservation) -> None:
    state.page_list[1] = state.page_list[LONG]


@speaks(check.page_lists_hold_the_free_spans, "counted")
def list_miscounted(state: HeapState, memory: Reservation) -> None:
    state.page_list[LONG].spans += 1


@speaks(check.page_lists_hold_the_free_spans, "wrong side of the lists")
def free_span_on_no_list(state: HeapState, memory: Reservation) -> None:
    state.span[spans_in(state, SpanState.STACK)[0]].state = SpanState.FREE


@speaks(check.span_counts_agree, "free spans counted")
def free_spans_miscounted(state: HeapState, memory: Reservation) -> None:
    state.counters[0].free_spans += 1


@speaks(check.span_counts_agree, "free pages counted")
def free_pages_miscounted(state: HeapState, memory: Reservation) -> None:
    state.counters[0].free_pages -= 1


@speaks(check.span_counts_agree, "large pages counted")
def large_pages_miscounted(state: HeapState, memory: Reservation) -> None:
    state.counters[0].large_pages += 1


@speaks(check.free_memory_is_zero, "is not all zeros")
def last_byte_of_a_free_span_written(state: HeapState, memory: Reservation) -> None:
    record = state.span[free_span(state)]
    memory.view(int(record.address + record.pages * PAGE) - 1, 1)[0] = 1


@speaks(check.null_records_are_untouched, "null node")
def null_node_written(state: HeapState, memory: Reservation) -> None:
    state.node[0, ENTRIES - 1] = 1
