"""Page map: unknown pages give span 0, and each leaf is counted once."""

import pytest

from allocsim import Heap
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.pagemap import (
    ADDRESS_BITS,
    LEAF_BYTES,
    LEAF_ROWS,
    LEAF_SPAN,
    ROOT_ROWS,
    ensure_leaves,
    entry_of,
    get_descriptor,
    record_span,
    register_size_class,
    rows_for,
    set_entry,
)
from allocsim.designs.tcmalloc.size_classes import PAGE
from allocsim.designs.tcmalloc.span import LIST_HEADS
from tests.conftest import RESERVE

SPAN = LIST_HEADS + 1
ROOT = 5
"""Index of an entry of the root that the heaps of these tests do not use."""


def covered(state: HeapState, pages: int, first: int = 10) -> int:
    """Return the address of pages that have a leaf but no memory."""
    address = ROOT * LEAF_SPAN + first * PAGE
    ensure_leaves(state, address, pages * PAGE)
    state.span[SPAN].address, state.span[SPAN].pages = address, pages
    return address


@pytest.mark.parametrize(
    "address", [0, 8, LEAF_SPAN - 1, LEAF_SPAN, (1 << ADDRESS_BITS) - 1], ids=hex
)
def test_unknown_page_gives_span_0_and_class_0(tcmalloc: HeapState, address: int) -> None:
    assert (entry_of(tcmalloc, address), get_descriptor(tcmalloc, address)) == (0, 0)


@pytest.mark.parametrize("page", [0, 1, LEAF_ROWS // 2, LEAF_ROWS - 1])
@pytest.mark.parametrize("byte", [0, PAGE - 1])
def test_entry_holds_a_span_and_its_class(tcmalloc: HeapState, page: int, byte: int) -> None:
    address = covered(tcmalloc, 1, page)
    set_entry(tcmalloc, address, SPAN, 85)
    assert entry_of(tcmalloc, address + byte) == SPAN << 8 | 85
    assert get_descriptor(tcmalloc, address + byte) == SPAN


def test_entry_belongs_to_one_page(tcmalloc: HeapState) -> None:
    address = covered(tcmalloc, 3)
    set_entry(tcmalloc, address + PAGE, SPAN, 1)
    found = [get_descriptor(tcmalloc, address + page * PAGE) for page in range(-1, 4)]
    assert found == [0, 0, SPAN, 0, 0]


@pytest.mark.parametrize("pages", [1, 2, 5])
def test_record_span_maps_the_first_and_the_last_page(tcmalloc: HeapState, pages: int) -> None:
    address = covered(tcmalloc, pages)
    record_span(tcmalloc, SPAN)
    found = [get_descriptor(tcmalloc, address + page * PAGE) for page in range(-1, pages + 1)]
    inside = [SPAN, *[0] * (pages - 2), SPAN][:pages] if pages > 1 else [SPAN]
    assert found == [0, *inside, 0]


def test_class_is_registered_on_every_page_and_removed(tcmalloc: HeapState) -> None:
    address = covered(tcmalloc, 4)
    for size_class in (7, 0):
        register_size_class(tcmalloc, SPAN, size_class)
        entries = [entry_of(tcmalloc, address + page * PAGE) for page in range(-1, 5)]
        assert entries == [0, *[SPAN << 8 | size_class] * 4, 0]
        assert tcmalloc.span[SPAN].size_class == size_class


@pytest.mark.parametrize(
    ("first", "pages", "leaves"),
    [
        (1, 1, 1),
        (0, 1, 2),
        (LEAF_ROWS - 2, 1, 1),
        (LEAF_ROWS - 1, 1, 2),
        (1, LEAF_ROWS - 2, 1),
        (0, LEAF_ROWS, 3),
        (5, 2 * LEAF_ROWS, 3),
    ],
)
def test_leaves_cover_the_pages_and_one_on_each_side(
    tcmalloc: HeapState, first: int, pages: int, leaves: int
) -> None:
    before = tcmalloc.system[0].footprint
    assert tcmalloc.page_heap[0].leaves == 1
    covered(tcmalloc, pages, first)
    assert tcmalloc.page_heap[0].leaves == 1 + leaves
    assert tcmalloc.system[0].footprint - before == leaves * LEAF_BYTES


def test_leaf_is_created_once(tcmalloc: HeapState) -> None:
    covered(tcmalloc, 1)
    before = tcmalloc.system[0].footprint
    covered(tcmalloc, 100, 50)
    assert (tcmalloc.page_heap[0].leaves, tcmalloc.system[0].footprint) == (2, before)


def test_every_leaf_has_rows_of_its_own(tcmalloc: HeapState) -> None:
    addresses = [(ROOT + leaf) * LEAF_SPAN + 10 * PAGE for leaf in range(3)]
    for number, address in enumerate(addresses, start=1):
        ensure_leaves(tcmalloc, address, PAGE)
        set_entry(tcmalloc, address, number, 0)
    assert [get_descriptor(tcmalloc, address) for address in addresses] == [1, 2, 3]
    assert not tcmalloc.page_map[ROOT_ROWS : ROOT_ROWS + LEAF_ROWS].any()


@pytest.mark.parametrize("start_page", [0, 1, 1000, LEAF_ROWS - 1])
def test_table_has_rows_for_a_full_heap_at_any_start(start_page: int) -> None:
    with Heap("tcmalloc", reserve=RESERVE, startup="none", start_page=start_page) as heap:
        heap.malloc(RESERVE - (1 << 20))
        heap.malloc(1 << 20)
        assert heap.check() == []
        rows = ROOT_ROWS + heap.state.page_heap[0].leaves * LEAF_ROWS
        assert rows <= len(heap.state.page_map) == rows_for(RESERVE)
