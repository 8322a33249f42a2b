"""Corruptions of spans, page map, free lists and metadata, for `test_check_page_heap`."""

from allocsim.core.memory import Reservation
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc import check_page_heap
from allocsim.designs.tcmalloc.check_page_heap import listed, spans_of
from allocsim.designs.tcmalloc.metadata import ALLOC_INCREMENT, METADATA_ALLOC_CHUNK_SIZE
from allocsim.designs.tcmalloc.pagemap import CLASS_BITS, LEAF_BITS, LEAF_ROWS, ROOT_ROWS, set_entry
from allocsim.designs.tcmalloc.records import SpanState
from allocsim.designs.tcmalloc.size_classes import PAGE
from allocsim.designs.tcmalloc.span import (
    FREE_HEAD,
    LIST_HEADS,
    MAX_PAGES,
    RETURNED_HEAD,
    SPANS_PER_CHUNK,
)
from tests.corruptions import Corruptions

FIRST = LIST_HEADS + 1


def some(state: HeapState, wanted: SpanState, long: bool = False, classed: bool = False) -> int:
    """Return a span in the state `wanted`, large if `long`, with a size class if `classed`."""
    return next(
        span.number
        for span in spans_of(state).values()
        if span.state == wanted
        and (span.pages > MAX_PAGES) is long
        and bool(span.size_class) is classed
        and span.pages > 1
    )


CORRUPTIONS = Corruptions()
breaks = CORRUPTIONS.breaks


@breaks(check_page_heap.spans_tile_the_heap, "expected 0x")
def span_moved(state: HeapState, memory: Reservation) -> None:
    state.span[some(state, SpanState.FREE)].address += PAGE


@breaks(check_page_heap.spans_tile_the_heap, "expected 0x")
def span_too_long(state: HeapState, memory: Reservation) -> None:
    state.span[some(state, SpanState.IN_USE, classed=True)].pages += 1


@breaks(check_page_heap.spans_tile_the_heap, "of 0 pages starts at")
def span_empty(state: HeapState, memory: Reservation) -> None:
    state.span[some(state, SpanState.STACK)].pages = 0


@breaks(check_page_heap.spans_tile_the_heap, "spans end at")
def page_obtained_for_no_span(state: HeapState, memory: Reservation) -> None:
    state.system[0].next += PAGE


@breaks(check_page_heap.spans_tile_the_heap, "spans end at")
def heap_ends_before_its_spans(state: HeapState, memory: Reservation) -> None:
    state.system[0].next -= METADATA_ALLOC_CHUNK_SIZE


@breaks(check_page_heap.spans_tile_the_heap, "bytes, but its spans have")
def heap_miscounted(state: HeapState, memory: Reservation) -> None:
    state.system[0].heap += PAGE


@breaks(check_page_heap.spans_tile_the_heap, "spans counted")
def spans_miscounted(state: HeapState, memory: Reservation) -> None:
    state.counters[0].spans += 1


@breaks(check_page_heap.spans_are_mapped, "is mapped to span 0 and class 0")
def last_page_not_mapped(state: HeapState, memory: Reservation) -> None:
    span = state.span[some(state, SpanState.FREE)]
    set_entry(state, int(span.address + (span.pages - 1) * PAGE), 0, 0)


@breaks(check_page_heap.spans_are_mapped, f"is mapped to span {FIRST} and class 0")
def first_page_of_another_span(state: HeapState, memory: Reservation) -> None:
    span = state.span[some(state, SpanState.RETURNED)]
    set_entry(state, int(span.address), FIRST, 0)


@breaks(check_page_heap.spans_are_mapped, "and class 85")
def inner_page_of_another_class(state: HeapState, memory: Reservation) -> None:
    number = some(state, SpanState.IN_USE, classed=True)
    set_entry(state, int(state.span[number].address) + PAGE, number, 85)


@breaks(check_page_heap.spans_are_mapped, "is mapped to span -1 and class -1")
def leaf_beyond_the_table(state: HeapState, memory: Reservation) -> None:
    state.page_map[memory.address // PAGE >> LEAF_BITS] = 1 << 40


@breaks(check_page_heap.null_span_is_untouched, "null leaf")
def null_leaf_written(state: HeapState, memory: Reservation) -> None:
    state.page_map[ROOT_ROWS + LEAF_ROWS - 1] = 1 << CLASS_BITS


@breaks(check_page_heap.free_neighbours_are_coalesced, "in state 4 are adjacent")
def free_neighbour_of_a_returned_span_is_returned(state: HeapState, memory: Reservation) -> None:
    free = [span for span in spans_of(state).values() if span.state == SpanState.FREE]
    before = {s.end for s in spans_of(state).values() if s.state == SpanState.RETURNED}
    span = next(span for span in free if span.address in before)
    state.span[span.number].state = SpanState.RETURNED


@breaks(check_page_heap.free_spans_are_listed_once, "is on the list of state 2")
def span_in_use_listed(state: HeapState, memory: Reservation) -> None:
    state.span[some(state, SpanState.FREE)].state = SpanState.IN_USE


@breaks(check_page_heap.free_spans_are_listed_once, "is on the list of state 4")
def span_on_the_list_of_another_length(state: HeapState, memory: Reservation) -> None:
    state.span[some(state, SpanState.RETURNED)].pages -= 1


@breaks(check_page_heap.free_spans_are_listed_once, "which does not exist, is on the list")
def list_of_a_span_that_does_not_exist(state: HeapState, memory: Reservation) -> None:
    number = int(state.page_heap[0].last_span) + 5
    head = FREE_HEAD + 3
    state.span[head].next = state.span[head].previous = number
    state.span[number].next = state.span[number].previous = head


@breaks(check_page_heap.free_spans_are_listed_once, "is listed 0 times")
def free_span_on_no_list(state: HeapState, memory: Reservation) -> None:
    state.span[some(state, SpanState.STACK)].state = SpanState.FREE


@breaks(
    check_page_heap.free_spans_are_listed_once,
    "span 0, which does not exist, is on the list of state 4",
)
def span_on_two_lists(state: HeapState, memory: Reservation) -> None:
    number = some(state, SpanState.FREE)
    head = RETURNED_HEAD + 7
    state.span[head].next = number


@breaks(check_page_heap.free_spans_are_listed_once, "times")
def list_runs_in_a_circle(state: HeapState, memory: Reservation) -> None:
    number = some(state, SpanState.FREE)
    state.span[number].next = state.span[number].previous = number


@breaks(check_page_heap.free_spans_are_listed_once, "is listed 0 times")
def span_with_a_wrong_backward_link(state: HeapState, memory: Reservation) -> None:
    first, second = listed(state, FREE_HEAD + 40)[:2]
    state.span[first].previous = second


@breaks(check_page_heap.free_spans_are_listed_once, "span 0, which does not exist, is on the list")
def last_span_of_a_list_links_to_no_span(state: HeapState, memory: Reservation) -> None:
    state.span[listed(state, FREE_HEAD + 40)[-1]].next = 1 << 40


@breaks(check_page_heap.free_spans_are_listed_once, "span 0, which does not exist, is on the list")
def head_of_a_list_with_a_wrong_backward_link(state: HeapState, memory: Reservation) -> None:
    state.span[FREE_HEAD + 40].previous = FREE_HEAD + 40


@breaks(check_page_heap.free_spans_are_listed_once, "span 0, which does not exist, is in the set")
def only_span_of_a_set_links_to_itself(state: HeapState, memory: Reservation) -> None:
    root = int(state.page_heap[0].large_returned)
    state.span[root].left = root


@breaks(check_page_heap.free_spans_are_listed_once, "is in the set of large spans in state 2")
def returned_span_in_the_set_of_free_ones(state: HeapState, memory: Reservation) -> None:
    state.page_heap[0].large_normal = state.page_heap[0].large_returned


@breaks(check_page_heap.free_spans_are_listed_once, "which does not exist, is in the set")
def set_links_to_a_span_that_does_not_exist(state: HeapState, memory: Reservation) -> None:
    state.span[int(state.page_heap[0].large_returned)].right = 1


@breaks(check_page_heap.free_spans_are_listed_once, "times")
def set_runs_in_a_circle(state: HeapState, memory: Reservation) -> None:
    root = int(state.page_heap[0].large_normal)
    state.span[root].left = root


@breaks(check_page_heap.free_spans_are_listed_once, "is out of order")
def set_out_of_order(state: HeapState, memory: Reservation) -> None:
    root = int(state.page_heap[0].large_normal)
    record = state.span[root]
    assert record.left or record.right
    record.left, record.right = int(record.right), int(record.left)


@breaks(check_page_heap.page_counts_agree, "free pages counted")
def free_pages_miscounted(state: HeapState, memory: Reservation) -> None:
    state.page_heap[0].free_pages += 1


@breaks(check_page_heap.page_counts_agree, "returned pages counted")
def returned_pages_miscounted(state: HeapState, memory: Reservation) -> None:
    state.page_heap[0].unmapped_pages -= 1


@breaks(check_page_heap.page_counts_agree, "large free spans counted")
def large_spans_miscounted(state: HeapState, memory: Reservation) -> None:
    state.page_heap[0].large_spans += 1


@breaks(check_page_heap.page_counts_agree, "free spans counted")
def free_spans_miscounted(state: HeapState, memory: Reservation) -> None:
    state.counters[0].free_spans -= 1


@breaks(check_page_heap.page_counts_agree, "pages of large objects counted")
def large_pages_miscounted(state: HeapState, memory: Reservation) -> None:
    state.counters[0].large_pages += 1


@breaks(check_page_heap.page_counts_agree, "was released, but some of its pages are resident")
def returned_page_written(state: HeapState, memory: Reservation) -> None:
    span = state.span[some(state, SpanState.RETURNED)]
    memory.view(int(span.address + span.pages * PAGE) - 1, 1)[0] = 1


@breaks(check_page_heap.metadata_covers_the_records, "bytes, but the records need")
def metadata_of_no_record(state: HeapState, memory: Reservation) -> None:
    state.system[0].metadata += ALLOC_INCREMENT


@breaks(check_page_heap.metadata_covers_the_records, "bytes, but the records need")
def span_records_without_metadata(state: HeapState, memory: Reservation) -> None:
    state.page_heap[0].last_span += SPANS_PER_CHUNK


@breaks(check_page_heap.metadata_covers_the_records, "leaves counted: ")
def leaves_miscounted(state: HeapState, memory: Reservation) -> None:
    state.page_heap[0].leaves += 1
