"""Invariants: a valid heap has no violation, and each corruption is reported."""

import numpy as np
import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.check import Invariant, violations
from allocsim.core.memory import Reservation
from allocsim.core.raw import store_word
from allocsim.designs.go2008 import DESIGN, check_caches, check_page_heap
from allocsim.designs.go2008.records import Go2008, Span
from tests.conftest import PAGE, contents
from tests.corruptions import Corrupt, Corruptions, invariants_in, require_reported
from tests.designs.go2008 import corrupt_caches, corrupt_page_heap
from tests.designs.go2008.corrupt_caches import CLASS_8, head_of, relink
from tests.designs.go2008.corrupt_page_heap import (
    free_span,
    heap_miscounted,
    leaf_entry,
    null_node_written,
)

CORRUPTIONS = Corruptions(corrupt_page_heap.CORRUPTIONS, corrupt_caches.CORRUPTIONS)


SMALL = (8, 100, 3000)
"""Sizes of small objects in the busy heap. Spans of the largest have a tail."""


@pytest.fixture
def busy(heap: Heap, state: Go2008) -> Go2008:
    """A heap with small and large objects of two threads, stacks and all kinds of free spans."""
    for thread in (0, 1):
        objects = [operations.malloc(state, thread, size) for size in SMALL * 6]
        for address in objects[::2]:
            operations.free(state, 1 - thread, address)
    lengths = (40_000, 300 * PAGE, 50_000, 2 << 20, 40_000, 300 * PAGE, 40_000)
    large = [operations.malloc(state, 0, length) for length in lengths]
    operations.allocate_stack(state, 2 * PAGE)
    operations.free_stack(state, operations.allocate_stack(state, 3 * PAGE))
    for address in large[1:]:
        operations.free(state, 1, address)
    return state


@pytest.mark.parametrize("invariant", DESIGN.invariants, ids=lambda i: i.__name__)
def test_valid_heap_has_no_violation(heap: Heap, busy: Go2008, invariant: Invariant) -> None:
    assert list(invariant(busy, heap.memory)) == []


@pytest.mark.parametrize("invariant", DESIGN.invariants, ids=lambda i: i.__name__)
def test_empty_heap_has_no_violation(heap: Heap, state: Go2008, invariant: Invariant) -> None:
    assert list(invariant(state, heap.memory)) == []


@pytest.mark.parametrize(
    ("invariant", "corrupt", "sentence"), CORRUPTIONS.all, ids=CORRUPTIONS.names
)
def test_corruption_is_reported(
    heap: Heap, busy: Go2008, invariant: Invariant, corrupt: Corrupt, sentence: str
) -> None:
    require_reported(heap, invariant, corrupt, sentence)
    assert heap.check() != []


@pytest.mark.parametrize("field", list(Span.dtype.fields or ()))
def test_null_span_is_zero_in_every_field(heap: Heap, busy: Go2008, field: str) -> None:
    busy.span[0][field] = 1
    found = violations(busy, heap.memory, (check_page_heap.null_records_are_zero,))
    assert any("null span was written" in line for line in found)


def test_every_invariant_of_the_design_has_a_corruption() -> None:
    assert CORRUPTIONS.invariants == invariants_in(check_page_heap) | invariants_in(check_caches)


def test_design_names_every_invariant_that_there_is() -> None:
    assert CORRUPTIONS.invariants == set(DESIGN.invariants)


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
def test_number_beyond_its_table_is_reported(heap: Heap, busy: Go2008, corrupt: Corrupt) -> None:
    corrupt(busy, heap.memory)
    assert heap.check() != []


def test_link_to_the_last_byte_of_a_full_reservation_is_reported(small_heap: Heap) -> None:
    address = small_heap.malloc(8)
    small_heap.free(address)
    small_heap.malloc(3 << 20)
    assert small_heap.profile().heap == small_heap.memory.length
    store_word(address, small_heap.memory.address + small_heap.memory.length - 1)
    assert small_heap.check() != []


def test_violations_of_one_invariant_are_limited(heap: Heap, busy: Go2008) -> None:
    busy.size_class.spans += 1
    found = violations(busy, heap.memory, (check_caches.class_counts_agree,), limit=5)
    assert len(found) == 6
    assert found[5] == "... and more of the same (class_counts_agree)"
    assert len(violations(busy, heap.memory, (check_caches.class_counts_agree,), limit=168)) == 168


def test_violations_of_all_invariants_are_reported(heap: Heap, busy: Go2008) -> None:
    null_node_written(busy, heap.memory)
    heap_miscounted(busy, heap.memory)
    text = " ".join(heap.check())
    assert "null node" in text
    assert "heap counts" in text


def test_check_changes_no_record_and_no_byte_of_the_heap(heap: Heap, busy: Go2008) -> None:
    def everything() -> list[bytes]:
        tables = [table[:4] if len(table) == len(busy.free_list) else table for table in busy]
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
    """A reservation that counts the calls of `view`."""

    def __init__(self, memory: Reservation) -> None:
        self.memory, self.views = memory, 0
        self.address, self.length = memory.address, memory.length

    def view(self, address: int, length: int) -> memoryview:
        self.views += 1
        return self.memory.view(address, length)

    def present(self, length: int) -> np.ndarray:
        return self.memory.present(length)


def test_cycle_of_free_objects_is_walked_once(heap: Heap, busy: Go2008) -> None:
    address = head_of(busy, CLASS_8)
    for _ in range(2):
        operations.free(busy, 0, address)
    counting = CountingReservation(heap.memory)
    assert violations(busy, counting, DESIGN.invariants)  # type: ignore[arg-type]
    objects = int(busy.size_class.cached.sum())
    assert counting.views < 4 * objects
