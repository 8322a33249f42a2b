"""Thread caches of go2008: last in, first out; free objects are zero except for their link."""

import pytest

from allocsim import Heap
from allocsim.core.raw import load_word
from allocsim.designs.go2008.central_grab import central_grab
from allocsim.designs.go2008.records import Go2008
from allocsim.designs.go2008.thread_cache import (
    CLEAR_STEP,
    MAX_PROBES,
    clear,
    pop_aligned_object,
    pop_object,
    push_object,
    write_links,
)
from tests.conftest import PAGE, Unsound, contents
from tests.designs.go2008.lookup import SIZES, links

CLASS_8, CLASS_24, CLASS_48 = SIZES.index(8), SIZES.index(24), SIZES.index(48)


@pytest.fixture
def filled(state: Go2008) -> Go2008:
    """A heap with 1,024 objects each of 8, 24 and 48 bytes on the lists of thread 0."""
    for size_class in (CLASS_8, CLASS_24, CLASS_48):
        central_grab(state, 0, size_class)
    return state


def counts(state: Go2008, size_class: int) -> tuple[int, int]:
    """Return the number of objects of a class that are in use, and of those that are cached."""
    count = state.size_class[size_class]
    return int(count.in_use), int(count.cached)


def test_pop_from_an_empty_list_returns_0(state: Go2008) -> None:
    assert pop_object(state, 0, 0) == 0
    assert pop_aligned_object(state, 0, 0, 16) == 0
    assert counts(state, 0) == (0, 0)


def test_objects_are_popped_in_the_order_of_the_list(filled: Go2008) -> None:
    expected = links(filled, 0, CLASS_24)
    assert [pop_object(filled, 0, CLASS_24) for _ in range(1024)] == expected
    assert pop_object(filled, 0, CLASS_24) == 0


def test_last_object_pushed_is_popped_first(filled: Go2008) -> None:
    first, second = (pop_object(filled, 0, CLASS_24) for _ in range(2))
    push_object(filled, 0, CLASS_24, first)
    push_object(filled, 0, CLASS_24, second)
    assert [pop_object(filled, 0, CLASS_24) for _ in range(2)] == [second, first]


def test_link_is_the_first_word(filled: Go2008) -> None:
    first, second = (pop_object(filled, 0, CLASS_24) for _ in range(2))
    push_object(filled, 1, CLASS_24, first)
    assert load_word(first) == 0
    push_object(filled, 1, CLASS_24, second)
    assert load_word(second) == first
    assert links(filled, 1, CLASS_24) == [second, first]


def test_popped_object_is_all_zeros(heap: Heap, filled: Go2008) -> None:
    address = pop_object(filled, 0, CLASS_24)
    assert not contents(heap, address, 24).any()
    contents(heap, address, 24)[:] = 0xFF
    push_object(filled, 0, CLASS_24, address)
    assert not contents(heap, address + 8, 16).any()
    assert pop_object(filled, 0, CLASS_24) == address
    assert not contents(heap, address, 24).any()


def test_push_clears_no_byte_of_the_next_object(heap: Heap, filled: Go2008) -> None:
    first, second = (pop_object(filled, 0, CLASS_48) for _ in range(2))
    contents(heap, first, 96)[:] = 0xFF
    push_object(filled, 0, CLASS_48, first)
    assert contents(heap, second, 48).min() == 0xFF


def test_lists_of_threads_are_separate(filled: Go2008) -> None:
    assert pop_object(filled, 1, CLASS_24) == 0
    address = pop_object(filled, 0, CLASS_24)
    push_object(filled, 1, CLASS_24, address)
    assert [filled.free_list[thread, CLASS_24].length for thread in (0, 1)] == [1023, 1]
    assert pop_object(filled, 1, CLASS_24) == address


def test_lists_of_classes_are_separate(filled: Go2008) -> None:
    before = links(filled, 0, CLASS_8)
    push_object(filled, 0, CLASS_24, pop_object(filled, 0, CLASS_24))
    pop_object(filled, 0, CLASS_48)
    assert links(filled, 0, CLASS_8) == before


def test_every_object_is_counted_in_use_or_cached(filled: Go2008, unsound: Unsound) -> None:
    popped = [pop_object(filled, 0, CLASS_24) for _ in range(10)]
    popped.append(pop_aligned_object(filled, 0, CLASS_24, 16))
    assert counts(filled, CLASS_24) == (11, 1013)
    for address in popped[:4]:
        push_object(filled, 1, CLASS_24, address)
    assert counts(filled, CLASS_24) == (7, 1017)
    assert unsound() == []


@pytest.mark.parametrize("alignment", [1, 2, 4, 8, 16, 32, 64, 128, 256, 512])
def test_newest_aligned_object_is_popped(filled: Go2008, alignment: int) -> None:
    pop_object(filled, 0, CLASS_24)  # the first is aligned to anything
    aligned = next(a for a in links(filled, 0, CLASS_24) if a % alignment == 0)
    others = [address for address in links(filled, 0, CLASS_24) if address != aligned]
    assert pop_aligned_object(filled, 0, CLASS_24, alignment) == aligned
    assert links(filled, 0, CLASS_24) == others
    assert filled.free_list[0, CLASS_24].length == len(others)


def test_aligned_object_is_all_zeros(heap: Heap, filled: Go2008) -> None:
    pop_object(filled, 0, CLASS_48)
    address = pop_aligned_object(filled, 0, CLASS_48, 64)
    assert address % 64 == 0
    assert not contents(heap, address, 48).any()


def test_list_without_an_aligned_object_is_unchanged(filled: Go2008) -> None:
    kept = [pop_object(filled, 0, CLASS_8) for _ in range(4)]
    for address in kept[1:]:
        push_object(filled, 1, CLASS_8, address)
    before = links(filled, 1, CLASS_8)
    assert pop_aligned_object(filled, 1, CLASS_8, PAGE) == 0
    assert links(filled, 1, CLASS_8) == before


@pytest.mark.parametrize("ahead", [MAX_PROBES - 1, MAX_PROBES], ids=["within", "beyond"])
def test_search_for_an_aligned_object_ends_after_max_probes(filled: Go2008, ahead: int) -> None:
    taken = [pop_object(filled, 0, CLASS_8) for _ in range(ahead + 1)]
    for address in taken:  # the first one, which is aligned, goes to the end of the list
        push_object(filled, 1, CLASS_8, address)
    found = pop_aligned_object(filled, 1, CLASS_8, PAGE)
    assert found == (taken[0] if ahead < MAX_PROBES else 0)


def test_fresh_objects_are_not_touched_before_they_are_popped(heap: Heap, filled: Go2008) -> None:
    resident = heap.memory.resident(1 << 20)
    pop_object(filled, 0, CLASS_24)
    assert (resident, heap.memory.resident(1 << 20)) == (0, PAGE)


def test_written_links_follow_the_list(filled: Go2008) -> None:
    for _ in range(3):
        pop_object(filled, 0, CLASS_24)
    expected = links(filled, 0, CLASS_24)
    write_links(filled)
    followed = [expected[0]]
    while load_word(followed[-1]):
        followed.append(int(load_word(followed[-1])))
    assert followed == expected
    assert [pop_object(filled, 0, CLASS_24) for _ in expected] == expected


def test_list_of_fresh_objects_can_be_emptied_by_aligned_pops(filled: Go2008) -> None:
    expected = links(filled, 0, CLASS_48)
    assert [pop_aligned_object(filled, 0, CLASS_48, 1) for _ in range(1024)] == expected
    assert pop_aligned_object(filled, 0, CLASS_48, 1) == 0


@pytest.mark.parametrize("length", [8, 16, 56, CLEAR_STEP, CLEAR_STEP + 8, 128, 32768])
def test_clear_zeroes_its_bytes_and_no_other(heap: Heap, length: int) -> None:
    page = contents(heap, heap.memory.address, 40960)
    page[:] = 0xAA
    clear(heap.memory.address + 24, length)
    assert (page[:24].min(), page[24 + length :].min()) == (0xAA, 0xAA)
    assert not page[24 : 24 + length].any()
