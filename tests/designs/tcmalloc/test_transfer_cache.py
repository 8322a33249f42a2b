"""Transfer cache: full batches, last in first out, and slots that move between classes."""

import pytest

from allocsim import Heap
from allocsim.core.operations import Status
from allocsim.core.raw import store_word
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.central_free_list import (
    INITIAL_TRANSFER_ENTRIES,
    MAX_TRANSFER_ENTRIES,
    insert_range,
    max_cache_size,
    populate,
    remove_range,
)
from allocsim.designs.tcmalloc.size_classes import size_map
from tests.calling import chained
from tests.designs.tcmalloc.lookup import SIZES, class_for
from tests.designs.tcmalloc.test_size_classes import library_rows

CLASS, BATCH = class_for(64), 32
OTHER = class_for(128)
"""Another class whose batches have 32 objects."""


def batch(state: HeapState, count: int = BATCH, size_class: int = CLASS) -> int:
    """Return a chain of objects in use, from a new span."""
    span = populate(state, size_class)
    record, info = state.span[span], state.size_class[size_class]
    assert info.objects > count
    found = chained(int(record.objects))
    store_word(found[count - 1], 0)
    record.objects = found[count]
    record.refcount = count
    info.free_objects -= count
    return found[0]


def insert(state: HeapState, size_class: int = CLASS, count: int = BATCH) -> int:
    """Insert a new chain; return its first object."""
    chain = batch(state, count, size_class)
    assert insert_range(state, size_class, chain, count) == Status.OK
    return chain


def slots(state: HeapState, size_class: int = CLASS) -> tuple[int, int]:
    """Return the number of slots that a class uses, and the number that it has."""
    return int(state.size_class[size_class].used_slots), int(
        state.size_class[size_class].cache_size
    )


def fill(state: HeapState, size_class: int, count: int) -> None:
    """Give a class `count` slots, all used."""
    state.size_class[size_class].cache_size = count
    for _ in range(count):
        insert(state, size_class)
    assert slots(state, size_class) == (count, count)


def test_slots_are_the_librarys(tcmalloc: HeapState) -> None:
    for row in library_rows():
        info = tcmalloc.size_class[row["class_index"]]
        assert info.cache_size == row["initial_transfer_slots"]
        assert info.max_cache_size == row["max_transfer_slots"]


@pytest.mark.parametrize(
    ("size", "objects", "slots"), [(8, 32, 64), (1024, 32, 32), (32768, 2, 16), (262144, 2, 2)]
)
def test_slots_of_a_class_hold_at_most_one_mib(size: int, objects: int, slots: int) -> None:
    assert max_cache_size(size, objects) == slots
    assert max_cache_size(262144, 32) == 1


def test_class_0_has_slots_for_others_to_take(tcmalloc: HeapState) -> None:
    assert slots(tcmalloc, 0) == (0, INITIAL_TRANSFER_ENTRIES)
    assert len(tcmalloc.tc_slots[0]) == MAX_TRANSFER_ENTRIES
    assert len(size_map(32)) == len(SIZES) - 1


def test_batches_are_last_in_first_out(tcmalloc: HeapState) -> None:
    chains = [insert(tcmalloc) for _ in range(3)]
    objects = [chained(chain) for chain in chains]
    assert slots(tcmalloc) == (3, INITIAL_TRANSFER_ENTRIES)
    for expected in objects[::-1]:
        chain, count = remove_range(tcmalloc, CLASS, BATCH)
        assert (chained(chain), count) == (expected, BATCH)
    assert slots(tcmalloc) == (0, INITIAL_TRANSFER_ENTRIES)


@pytest.mark.parametrize("count", [1, BATCH - 1, BATCH + 1])
def test_chain_that_is_not_a_batch_goes_to_the_spans(tcmalloc_heap: Heap, count: int) -> None:
    state = tcmalloc_heap.state
    insert(state, CLASS, count)
    assert slots(state) == (0, INITIAL_TRANSFER_ENTRIES)
    assert state.size_class[CLASS].num_spans == 0  # all its objects were returned
    assert tcmalloc_heap.check() == []


@pytest.mark.parametrize("count", [1, BATCH - 1])
def test_less_than_a_batch_comes_from_spans_even_if_a_slot_is_used(
    tcmalloc: HeapState, count: int
) -> None:
    insert(tcmalloc)
    chain, taken = remove_range(tcmalloc, CLASS, count)
    assert (len(chained(chain)), taken) == (count, count)
    assert slots(tcmalloc) == (1, INITIAL_TRANSFER_ENTRIES)


def test_batch_comes_from_spans_when_no_slot_is_used(tcmalloc: HeapState) -> None:
    chain, count = remove_range(tcmalloc, CLASS, BATCH)
    assert (len(chained(chain)), count) == (BATCH, BATCH)


def test_class_takes_a_slot_from_the_next_class_in_turn(tcmalloc: HeapState) -> None:
    fill(tcmalloc, CLASS, 2)
    tcmalloc.static[0].race_counter = OTHER
    insert(tcmalloc)
    assert (slots(tcmalloc), slots(tcmalloc, OTHER)) == ((3, 3), (0, INITIAL_TRANSFER_ENTRIES - 1))
    assert tcmalloc.static[0].race_counter == OTHER + 1


def test_class_0_has_two_turns_per_round(tcmalloc: HeapState) -> None:
    fill(tcmalloc, CLASS, 2)
    tcmalloc.static[0].race_counter = len(SIZES) - 1
    left = []
    for _ in range(4):
        insert(tcmalloc)
        left.append([INITIAL_TRANSFER_ENTRIES - slots(tcmalloc, 0)[1], slots(tcmalloc, 1)[1]])
    assert left == [
        [0, INITIAL_TRANSFER_ENTRIES],
        [1, INITIAL_TRANSFER_ENTRIES],
        [2, INITIAL_TRANSFER_ENTRIES],
        [2, INITIAL_TRANSFER_ENTRIES - 1],
    ]


def test_own_turn_fails_and_the_next_is_forced(tcmalloc: HeapState) -> None:
    fill(tcmalloc, CLASS, 2)
    tcmalloc.static[0].race_counter = CLASS
    insert(tcmalloc)
    assert slots(tcmalloc) == (3, 3)
    assert slots(tcmalloc, CLASS + 1) == (0, INITIAL_TRANSFER_ENTRIES - 1)


def test_class_takes_no_slot_from_itself_even_when_forced(tcmalloc_heap: Heap) -> None:
    state = tcmalloc_heap.state
    fill(state, CLASS, 2)
    stored = [int(state.tc_slots[CLASS, slot]) for slot in (0, 1)]
    state.size_class[CLASS - 1].cache_size = 0
    state.static[0].race_counter = CLASS - 1
    insert(state)
    assert slots(state) == (2, 2)
    assert [len(chained(chain)) for chain in stored] == [BATCH, BATCH]
    assert state.size_class[CLASS].num_spans == 2  # the new batch went to its span, which was freed
    assert tcmalloc_heap.check() == []


def test_full_class_gives_a_slot_only_when_forced(tcmalloc_heap: Heap) -> None:
    state = tcmalloc_heap.state
    fill(state, CLASS, 2)
    fill(state, OTHER, 3)
    fill(state, OTHER + 1, 3)
    state.static[0].race_counter = OTHER
    insert(state)
    assert slots(state) == (3, 3)
    assert slots(state, OTHER) == (3, 3)
    assert slots(state, OTHER + 1) == (2, 2)
    assert (
        state.size_class[OTHER + 1].num_spans == 2
    )  # the newest batch went to its span, which was freed
    assert tcmalloc_heap.check() == []


def test_batch_goes_to_the_spans_if_no_class_gives_a_slot(tcmalloc_heap: Heap) -> None:
    state = tcmalloc_heap.state
    fill(state, CLASS, 2)
    for size_class in (OTHER, OTHER + 1):
        state.size_class[size_class].cache_size = 0
    state.static[0].race_counter = OTHER
    insert(state)
    assert slots(state) == (2, 2)
    assert state.size_class[CLASS].num_spans == 2
    assert state.static[0].race_counter == OTHER + 2
    assert tcmalloc_heap.check() == []


def test_class_with_its_maximum_of_slots_takes_none(tcmalloc_heap: Heap) -> None:
    state = tcmalloc_heap.state
    state.size_class[CLASS].max_cache_size = 2
    fill(state, CLASS, 2)
    insert(state)
    assert (slots(state), state.static[0].race_counter) == ((2, 2), 0)
    assert tcmalloc_heap.check() == []
