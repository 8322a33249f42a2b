"""The invariants: silent on a sound heap, and each speaks when a record is really corrupted."""

import numpy as np
import pytest

from allocsim import Heap
from allocsim.core import check, operations
from allocsim.core.check import Invariant, violations
from allocsim.core.memory import Reservation
from allocsim.core.pagemap import ENTRIES, enter
from allocsim.core.raw import load_word, store_word
from allocsim.core.records import SPAN, HeapState, SpanState
from allocsim.core.splitting_pages import LONG
from allocsim.designs.go2008 import DESIGN
from tests.conftest import PAGE, contents
from tests.core.test_size_classes import SIZES
from tests.corruptions import Corrupt, Corruptions, invariants_in

SMALL = (8, 100, 3000)
"""Sizes of small objects in the busy heap; the last class has spans with a tail."""

CLASS_8, CLASS_100, CLASS_3000 = (SIZES.index(size) for size in (8, 104, 3072))


@pytest.fixture
def busy(heap: Heap, state: HeapState) -> HeapState:
    """Small and large objects of two threads, in use and free; stacks; all kinds of free spans."""
    for thread in (0, 1):
        held = [operations.malloc(state, thread, size) for size in SMALL * 6]
        for address in held[::2]:
            operations.free(state, 1 - thread, address)
    lengths = (40_000, 300 * PAGE, 50_000, 2 << 20, 40_000, 300 * PAGE, 40_000)
    large = [operations.malloc(state, 0, length) for length in lengths]
    operations.allocate_stack(state, 2 * PAGE)
    operations.free_stack(state, operations.allocate_stack(state, 3 * PAGE))
    for address in large[1:]:
        operations.free(state, 1, address)
    return state


@pytest.mark.parametrize("invariant", DESIGN.invariants, ids=lambda i: i.__name__)
def test_sound_heap_is_silent(heap: Heap, busy: HeapState, invariant: Invariant) -> None:
    assert list(invariant(busy, heap.memory)) == []


@pytest.mark.parametrize("invariant", DESIGN.invariants, ids=lambda i: i.__name__)
def test_empty_heap_is_silent(heap: Heap, state: HeapState, invariant: Invariant) -> None:
    assert list(invariant(state, heap.memory)) == []


def spans_in(state: HeapState, wanted: SpanState) -> list[int]:
    """The spans in a state, in the order of their numbers."""
    return np.flatnonzero(state.span.state[: int(state.counters[0].spans) + 1] == wanted).tolist()


def free_span(state: HeapState) -> int:
    """A free span that is first on its list."""
    return next(s for s in spans_in(state, SpanState.FREE) if s in state.page_list.head)


def head_of(state: HeapState, size_class: int) -> int:
    """The first free object of thread 0."""
    return int(state.object_list[0, size_class].head)


def relink(state: HeapState, size_class: int, target: int) -> None:
    """Make the first free object of thread 0 link to `target`."""
    store_word(head_of(state, size_class), target)


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


@speaks(check.free_objects_are_counted_once, "is free twice")
def object_links_to_itself(state: HeapState, memory: Reservation) -> None:
    relink(state, CLASS_8, head_of(state, CLASS_8))


@speaks(check.free_objects_are_counted_once, "is free twice")
def object_on_two_lists(state: HeapState, memory: Reservation) -> None:
    state.object_list[1, CLASS_8].head = head_of(state, CLASS_8)


@speaks(check.free_objects_are_counted_once, "lies in a span of class")
def object_on_the_list_of_another_class(state: HeapState, memory: Reservation) -> None:
    state.object_list[0, CLASS_8].head = head_of(state, CLASS_100)


@speaks(check.free_objects_are_counted_once, "is not the start of an object of 104 bytes")
def link_into_an_object(state: HeapState, memory: Reservation) -> None:
    relink(state, CLASS_100, int(load_word(head_of(state, CLASS_100))) + 8)


@speaks(check.free_objects_are_counted_once, "is not the start of an object of 3072 bytes")
def link_into_the_tail(state: HeapState, memory: Reservation) -> None:
    span = np.flatnonzero(state.span.size_class == CLASS_3000)[0]
    relink(state, CLASS_3000, int(state.span[span].address + state.span[span].objects * 3072))


@speaks(check.free_objects_are_counted_once, "in state 2")
def link_into_a_free_span(state: HeapState, memory: Reservation) -> None:
    relink(state, CLASS_8, int(state.span[free_span(state)].address))


@speaks(check.free_objects_are_counted_once, "not as counted")
def link_out_of_the_heap(state: HeapState, memory: Reservation) -> None:
    relink(state, CLASS_8, 12345)


@speaks(check.free_objects_are_counted_once, "list 0 of thread 0 holds")
def object_lost(state: HeapState, memory: Reservation) -> None:
    state.object_list[0, CLASS_8].head = load_word(head_of(state, CLASS_8))


@speaks(check.free_objects_are_counted_once, "list 0 of thread 1 holds")
def list_length_miscounted(state: HeapState, memory: Reservation) -> None:
    state.object_list[1, CLASS_8].length += 1


@speaks(check.free_objects_are_counted_once, "class 12 holds")
def cached_objects_miscounted(state: HeapState, memory: Reservation) -> None:
    state.size_class[12].cached += 1


@speaks(check.class_counts_agree, "class 0 counts")
def objects_in_use_miscounted(state: HeapState, memory: Reservation) -> None:
    state.size_class[0].in_use += 1


@speaks(check.class_counts_agree, "class 0 counts")
def spans_of_a_class_miscounted(state: HeapState, memory: Reservation) -> None:
    state.size_class[0].spans += 1


@speaks(check.class_counts_agree, "has -1 objects in use")
def more_objects_free_than_there_are(state: HeapState, memory: Reservation) -> None:
    count = state.size_class[0]
    count.cached, count.in_use = count.cached + count.in_use + 1, -1


@speaks(check.free_memory_is_zero, "is not all zeros")
def last_byte_of_a_free_span_written(state: HeapState, memory: Reservation) -> None:
    record = state.span[free_span(state)]
    memory.view(int(record.address + record.pages * PAGE) - 1, 1)[0] = 1


@speaks(check.free_memory_is_zero, "is not all zeros")
def first_byte_behind_a_link_written(state: HeapState, memory: Reservation) -> None:
    memory.view(head_of(state, CLASS_100) + 8, 1)[0] = 1


@speaks(check.free_memory_is_zero, "is not all zeros")
def last_byte_of_a_free_object_written(state: HeapState, memory: Reservation) -> None:
    second = int(load_word(head_of(state, CLASS_100)))
    memory.view(second + 103, 1)[0] = 0x80


@speaks(check.free_objects_are_counted_once, "is not the start of an object of 8 bytes")
def fresh_objects_begin_inside_one(state: HeapState, memory: Reservation) -> None:
    state.object_list[0, CLASS_8].fresh += 4


@speaks(check.free_objects_are_counted_once, "is free twice")
def object_given_back_is_fresh_too(state: HeapState, memory: Reservation) -> None:
    state.object_list[0, CLASS_8].fresh -= 8 * 18


@speaks(check.free_memory_is_zero, "is not all zeros")
def fresh_object_written(state: HeapState, memory: Reservation) -> None:
    memory.view(int(state.object_list[0, CLASS_100].end) - 1, 1)[0] = 1


@speaks(check.null_records_are_untouched, "null node")
def null_node_written(state: HeapState, memory: Reservation) -> None:
    state.node[0, ENTRIES - 1] = 1


@pytest.mark.parametrize(
    ("invariant", "corrupt", "sentence"), CORRUPTIONS.all, ids=CORRUPTIONS.names
)
def test_corruption_is_told(
    heap: Heap, busy: HeapState, invariant: Invariant, corrupt: Corrupt, sentence: str
) -> None:
    corrupt(busy, heap.memory)
    assert any(sentence in line for line in violations(busy, heap.memory, (invariant,)))
    assert heap.check() != []


@pytest.mark.parametrize("field", SPAN.names)
def test_null_span_is_untouched_in_every_field(heap: Heap, busy: HeapState, field: str) -> None:
    busy.span[0][field] = 1
    found = violations(busy, heap.memory, (check.null_records_are_untouched,))
    assert any("null span was written" in line for line in found)


def test_every_invariant_of_the_design_has_a_corruption() -> None:
    assert CORRUPTIONS.invariants == set(DESIGN.invariants)


def test_design_names_every_invariant_that_there_is() -> None:
    assert invariants_in(check) == set(DESIGN.invariants)


GARBAGE: dict[str, Corrupt] = {
    "next span": lambda state, _: state.span.next.__setitem__(free_span(state), 2**32 - 1),
    "head of a page list": lambda state, _: state.page_list.head.__setitem__(3, 2**32 - 1),
    "page map node": lambda state, _: state.node.__setitem__((1, 0), 2**40),
    "page map leaf": lambda state, memory: state.node.__setitem__(
        leaf_entry(state, memory.address // PAGE), 2**40
    ),
    "pages of a free span": lambda state, _: state.span.pages.__setitem__(free_span(state), 2**40),
    "address of a free span": lambda state, _: state.span.address.__setitem__(free_span(state), 8),
    "last link": lambda state, _: relink(state, CLASS_8, int(state.system[0].next) - 1),
}


@pytest.mark.parametrize("corrupt", GARBAGE.values(), ids=GARBAGE)
def test_number_beyond_its_table_is_told_too(heap: Heap, busy: HeapState, corrupt: Corrupt) -> None:
    corrupt(busy, heap.memory)
    assert heap.check() != []


def test_link_in_the_last_bytes_of_a_full_reservation_is_told(small_heap: Heap) -> None:
    address = small_heap.malloc(8)
    small_heap.free(address)
    small_heap.malloc(3 << 20)
    assert small_heap.profile().heap == small_heap.memory.length
    store_word(address, small_heap.memory.address + small_heap.memory.length - 1)
    assert small_heap.check() != []


def test_violations_name_at_most_so_many_of_a_kind(heap: Heap, busy: HeapState) -> None:
    busy.size_class.spans += 1
    found = violations(busy, heap.memory, (check.class_counts_agree,), most=5)
    assert len(found) == 6
    assert found[5] == "... and more of the same (class_counts_agree)"
    assert len(violations(busy, heap.memory, (check.class_counts_agree,), most=168)) == 168


def test_violations_of_all_invariants_are_told(heap: Heap, busy: HeapState) -> None:
    null_node_written(busy, heap.memory)
    heap_miscounted(busy, heap.memory)
    text = " ".join(heap.check())
    assert "null node" in text
    assert "heap counts" in text


def test_check_changes_no_record_and_no_byte_of_the_heap(heap: Heap, busy: HeapState) -> None:
    def everything() -> list[bytes]:
        tables = [table[:4] if len(table) == len(busy.object_list) else table for table in busy]
        return [table.tobytes() for table in tables] + [
            contents(heap, heap.memory.address, int(busy.system[0].heap)).tobytes()
        ]

    before = everything()
    assert heap.check() == []
    assert everything() == before


def test_check_makes_no_page_resident(heap: Heap) -> None:
    heap.malloc(1)
    before = heap.resident()
    assert before < heap.profile().heap
    assert heap.check() == []
    assert heap.resident() == before


class CountingReservation:
    """A reservation that counts how often it is looked at."""

    def __init__(self, memory: Reservation) -> None:
        self.memory, self.views = memory, 0
        self.address, self.length = memory.address, memory.length

    def view(self, address: int, length: int) -> memoryview:
        self.views += 1
        return self.memory.view(address, length)

    def present(self, length: int) -> np.ndarray:
        return self.memory.present(length)


def test_circle_of_free_objects_is_walked_once(heap: Heap, busy: HeapState) -> None:
    address = head_of(busy, CLASS_8)
    for _ in range(2):
        operations.free(busy, 0, address)
    looks = CountingReservation(heap.memory)
    assert violations(busy, looks, DESIGN.invariants)  # type: ignore[arg-type]
    objects = int(busy.size_class.cached.sum())
    assert looks.views < 4 * objects
