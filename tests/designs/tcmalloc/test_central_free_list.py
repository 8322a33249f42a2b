"""Central free lists: newest span first, at most one new span; unused spans are freed at once."""

import pytest

from allocsim import Heap
from allocsim.core.memory import OS_PAGE
from allocsim.core.operations import Status
from allocsim.core.raw import store_word
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.central_free_list import (
    fetch_from_one_spans_safe,
    populate,
    release_list_to_spans,
)
from allocsim.designs.tcmalloc.check_page_heap import listed
from allocsim.designs.tcmalloc.pagemap import get_descriptor
from allocsim.designs.tcmalloc.records import SpanState
from allocsim.designs.tcmalloc.size_classes import PAGE
from allocsim.designs.tcmalloc.span import EMPTY_HEAD, NONEMPTY_HEAD
from tests.calling import chained
from tests.conftest import SCALE
from tests.designs.tcmalloc.lookup import SIZES, class_for

CLASS = class_for(2800)
"""The class of 2,816 bytes. A span has 3 pages, 8 objects and a tail; a batch has 23 objects."""

OBJECTS, BATCH = 8, 23


def take(state: HeapState, wanted: int, size_class: int = CLASS) -> list[int]:
    """Fetch up to `wanted` objects; return their addresses in the order of the chain."""
    chain, count = fetch_from_one_spans_safe(state, size_class, wanted)
    found = chained(chain)
    assert len(found) == count
    return found


def link(*addresses: int) -> int:
    """Link objects into a chain, in this order."""
    for address, following in zip(addresses, (*addresses[1:], 0), strict=True):
        store_word(address, following)
    return addresses[0]


def counts(state: HeapState) -> tuple[int, int]:
    """Return the numbers of spans and of free objects of CLASS."""
    return int(state.size_class[CLASS].num_spans), int(state.size_class[CLASS].free_objects)


def test_class_has_the_numbers_that_these_tests_use(tcmalloc: HeapState) -> None:
    info = tcmalloc.size_class[CLASS]
    assert (SIZES[CLASS], info.pages, info.objects, info.batch) == (2816, 3, OBJECTS, BATCH)


def test_fresh_span_yields_ascending_addresses(tcmalloc: HeapState) -> None:
    span = populate(tcmalloc, CLASS)
    first = int(tcmalloc.span[span].address)
    assert counts(tcmalloc) == (1, OBJECTS)
    assert take(tcmalloc, OBJECTS) == [first + 2816 * n for n in range(OBJECTS)]
    assert counts(tcmalloc) == (1, 0)
    assert tcmalloc.counters[0].refills == 1


def test_every_page_of_a_span_is_mapped_to_it_and_its_class(tcmalloc: HeapState) -> None:
    span = populate(tcmalloc, CLASS)
    address = int(tcmalloc.span[span].address)
    assert {get_descriptor(tcmalloc, address + page * PAGE) for page in range(3)} == {span}
    assert tcmalloc.span[span].size_class == CLASS


def test_first_fetch_of_a_class_is_bounded_by_one_span(tcmalloc: HeapState) -> None:
    assert len(take(tcmalloc, BATCH)) == OBJECTS
    assert counts(tcmalloc) == (1, 0)


@pytest.mark.parametrize("size_class", range(1, len(SIZES), 1 if SCALE > 1 else 9))
def test_every_class_yields_a_batch_or_a_span(tcmalloc: HeapState, size_class: int) -> None:
    info = tcmalloc.size_class[size_class]
    found = take(tcmalloc, int(info.batch), size_class)
    assert len(found) == min(info.batch, info.objects)
    assert info.free_objects == info.objects - len(found)


def test_fetch_continues_with_other_spans_and_puts_their_objects_in_front(
    tcmalloc: HeapState,
) -> None:
    one = take(tcmalloc, OBJECTS)
    two = take(tcmalloc, OBJECTS)
    release_list_to_spans(tcmalloc, CLASS, link(*one[:2]))
    release_list_to_spans(tcmalloc, CLASS, link(two[0]))
    # The second span is the newest with free objects. Objects of a span are last in, first out.
    assert take(tcmalloc, BATCH) == [one[1], one[0], two[0]]
    assert tcmalloc.counters[0].refills == 2


def test_span_that_gets_its_first_object_back_is_put_in_front(tcmalloc: HeapState) -> None:
    one, two = take(tcmalloc, OBJECTS), take(tcmalloc, OBJECTS)
    spans = [get_descriptor(tcmalloc, found[0]) for found in (one, two)]
    assert listed(tcmalloc, EMPTY_HEAD + CLASS) == spans[::-1]
    release_list_to_spans(tcmalloc, CLASS, link(two[3]))
    release_list_to_spans(tcmalloc, CLASS, link(one[3]))
    assert listed(tcmalloc, NONEMPTY_HEAD + CLASS) == spans
    # The second span has a free object already, so it stays where it is on the list.
    release_list_to_spans(tcmalloc, CLASS, link(two[4]))
    assert listed(tcmalloc, NONEMPTY_HEAD + CLASS) == spans
    assert take(tcmalloc, 1) == [one[3]]
    assert listed(tcmalloc, EMPTY_HEAD + CLASS) == [spans[0]]


def test_new_span_is_used_before_the_older(tcmalloc: HeapState) -> None:
    old = take(tcmalloc, 3)
    span = populate(tcmalloc, CLASS)
    assert get_descriptor(tcmalloc, old[0]) != span
    assert get_descriptor(tcmalloc, take(tcmalloc, 1)[0]) == span


def test_refcount_is_the_objects_outside_the_span(tcmalloc: HeapState) -> None:
    found = take(tcmalloc, 5)
    record = tcmalloc.span[get_descriptor(tcmalloc, found[0])]
    assert record.refcount == 5
    release_list_to_spans(tcmalloc, CLASS, link(*found[:2]))
    assert (record.refcount, counts(tcmalloc)) == (3, (1, OBJECTS - 3))


def test_span_is_freed_when_its_last_object_is_returned(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    found = take(tcmalloc, OBJECTS)
    span = get_descriptor(tcmalloc, found[0])
    release_list_to_spans(tcmalloc, CLASS, link(*found[:-1]))
    assert (tcmalloc.span[span].state, counts(tcmalloc)) == (SpanState.IN_USE, (1, OBJECTS - 1))
    assert release_list_to_spans(tcmalloc, CLASS, link(found[-1])) == Status.OK
    assert counts(tcmalloc) == (0, 0)
    assert tcmalloc.page_heap[0].free_pages * PAGE == tcmalloc.system[0].heap
    for head in (NONEMPTY_HEAD, EMPTY_HEAD):
        assert listed(tcmalloc, head + CLASS) == []
    assert tcmalloc_heap.check() == []


def test_span_of_one_object_is_freed_at_once(tcmalloc_heap: Heap, tcmalloc: HeapState) -> None:
    largest = len(SIZES) - 1
    (address,) = take(tcmalloc, 1, largest)
    assert release_list_to_spans(tcmalloc, largest, link(address)) == Status.OK
    assert (tcmalloc.size_class[largest].num_spans, tcmalloc.size_class[largest].free_objects) == (
        0,
        0,
    )
    assert tcmalloc_heap.check() == []


def test_each_object_of_a_chain_is_returned_to_its_own_span(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    one, two = take(tcmalloc, OBJECTS), take(tcmalloc, OBJECTS)
    mixed = [address for pair in zip(one, two, strict=True) for address in pair]
    release_list_to_spans(tcmalloc, CLASS, link(*mixed[:-2]))
    refcount = [int(tcmalloc.span[get_descriptor(tcmalloc, a[0])].refcount) for a in (one, two)]
    assert refcount == [1, 1]
    release_list_to_spans(tcmalloc, CLASS, link(*mixed[-2:]))
    assert counts(tcmalloc) == (0, 0)
    assert tcmalloc_heap.check() == []


def test_link_is_written_in_every_object_of_a_fresh_span(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    populate(tcmalloc, CLASS)
    touched = {2816 * number // OS_PAGE for number in range(OBJECTS)}
    assert tcmalloc_heap.memory.resident(4 * PAGE) == len(touched) * OS_PAGE


def test_frozen_heap_yields_no_objects_and_stays_valid(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    tcmalloc.system[0].frozen = 1
    assert fetch_from_one_spans_safe(tcmalloc, CLASS, BATCH) == (0, 0)
    assert populate(tcmalloc, CLASS) == 0
    assert tcmalloc.system[0].refusal == Status.FROZEN
    assert (counts(tcmalloc), tcmalloc_heap.check()) == ((0, 0), [])
