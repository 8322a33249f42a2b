"""Span records: circular lists, each with a head record, and reuse of records."""

import pytest

from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.check_page_heap import listed
from allocsim.designs.tcmalloc.metadata import ALLOC_INCREMENT
from allocsim.designs.tcmalloc.pagemap import ensure_leaves, get_descriptor
from allocsim.designs.tcmalloc.records import SpanState
from allocsim.designs.tcmalloc.size_classes import PAGE
from allocsim.designs.tcmalloc.span import (
    EMPTY_HEAD,
    FREE_HEAD,
    LIST_HEADS,
    MAX_CLASSES,
    MAX_PAGES,
    NONEMPTY_HEAD,
    RETURNED_HEAD,
    SPANS_PER_CHUNK,
    delete_span,
    dll_prepend,
    dll_remove,
    new_span,
)

HEAD = FREE_HEAD + 5
FIRST = LIST_HEADS + 1
A, B, C = FIRST, FIRST + 1, FIRST + 2


@pytest.fixture
def mapped(tcmalloc: HeapState) -> HeapState:
    """A heap whose page map has leaves for its first 100 pages."""
    ensure_leaves(tcmalloc, int(tcmalloc.system[0].next), 100 * PAGE)
    return tcmalloc


def links_back(state: HeapState, head: int) -> list[int]:
    """Return the spans on a list from its end to its front."""
    found, number = [], int(state.span[head].previous)
    while number != head:
        found.append(number)
        number = int(state.span[number].previous)
    return found


def test_heads_of_lists_do_not_overlap() -> None:
    heads = [
        *(
            first + length
            for first in (FREE_HEAD, RETURNED_HEAD)
            for length in range(1, MAX_PAGES + 1)
        ),
        *(first + n for first in (NONEMPTY_HEAD, EMPTY_HEAD) for n in range(1, MAX_CLASSES + 1)),
    ]
    assert sorted(heads) == list(range(1, LIST_HEADS + 1))


def test_every_list_is_empty_at_first(tcmalloc: HeapState) -> None:
    heads = range(1, LIST_HEADS + 1)
    assert all(listed(tcmalloc, head) == links_back(tcmalloc, head) == [] for head in heads)
    assert {int(tcmalloc.span[head].state) for head in heads} == {SpanState.LIST}


def test_newest_span_of_a_list_is_in_front(tcmalloc: HeapState) -> None:
    for span in (A, B, C):
        dll_prepend(tcmalloc, HEAD, span)
    assert listed(tcmalloc, HEAD) == [C, B, A]
    assert links_back(tcmalloc, HEAD) == [A, B, C]


@pytest.mark.parametrize("gone", [A, B, C], ids=["last", "middle", "first"])
def test_span_is_removed_from_any_position(tcmalloc: HeapState, gone: int) -> None:
    for span in (A, B, C):
        dll_prepend(tcmalloc, HEAD, span)
    dll_remove(tcmalloc, gone)
    left = [span for span in (C, B, A) if span != gone]
    assert listed(tcmalloc, HEAD) == left
    assert links_back(tcmalloc, HEAD) == left[::-1]
    assert (tcmalloc.span[gone].next, tcmalloc.span[gone].previous) == (0, 0)


def test_list_is_empty_again_when_its_last_span_left(tcmalloc: HeapState) -> None:
    dll_prepend(tcmalloc, HEAD, A)
    dll_remove(tcmalloc, A)
    assert listed(tcmalloc, HEAD) == links_back(tcmalloc, HEAD) == []


def test_new_span_is_entered_in_the_page_map_and_counted(mapped: HeapState) -> None:
    address = int(mapped.system[0].next)
    span = new_span(mapped, address, 7, SpanState.FREE)
    record = mapped.span[span]
    assert (record.address, record.pages, record.state) == (address, 7, SpanState.FREE)
    assert (record.size_class, record.next, record.previous) == (0, 0, 0)
    assert get_descriptor(mapped, address) == get_descriptor(mapped, address + 7 * PAGE - 1) == span
    assert mapped.counters[0].spans == 1


def test_deleted_records_are_reused_newest_first(mapped: HeapState) -> None:
    address = int(mapped.system[0].next)
    spans = [new_span(mapped, address + n * PAGE, 1, SpanState.IN_USE) for n in range(3)]
    assert spans == [A, B, C]
    for span in (A, C):
        delete_span(mapped, span)
    assert mapped.counters[0].spans == 1
    assert mapped.span[A].state == SpanState.NONE
    again = [new_span(mapped, address, 1, SpanState.IN_USE) for _ in range(3)]
    assert again == [C, A, C + 1]
    assert (mapped.counters[0].spans, mapped.page_heap[0].last_span) == (4, C + 1)


def test_span_record_costs_a_chunk_when_the_last_is_full(mapped: HeapState) -> None:
    before, address = mapped.system[0].footprint, int(mapped.system[0].next)
    mapped.page_heap[0].last_span += SPANS_PER_CHUNK - 3
    # The RESERVED_SPANS use records too, so this span takes the last record of the chunk.
    new_span(mapped, address, 1, SpanState.IN_USE)
    assert mapped.system[0].footprint == before
    new_span(mapped, address, 1, SpanState.IN_USE)
    assert mapped.system[0].footprint == before + ALLOC_INCREMENT
    delete_span(mapped, int(mapped.page_heap[0].last_span))
    new_span(mapped, address, 1, SpanState.IN_USE)
    assert mapped.system[0].footprint == before + ALLOC_INCREMENT


def test_full_table_of_spans_fails(mapped: HeapState) -> None:
    mapped.page_heap[0].last_span = len(mapped.span) - 2
    address = int(mapped.system[0].next)
    assert new_span(mapped, address, 1, SpanState.IN_USE) == len(mapped.span) - 1
    assert new_span(mapped, address, 1, SpanState.IN_USE) == 0
    assert mapped.system[0].refusal == Status.OUT_OF_MEMORY
    assert mapped.counters[0].spans == 1
