"""Corruptions of free objects, for `test_check`: links, free lists, counts of classes."""

import numpy as np

from allocsim.core.memory import Reservation
from allocsim.core.raw import load_word, store_word
from allocsim.designs.go2008 import check_caches
from allocsim.designs.go2008.records import Go2008
from tests.corruptions import Corruptions
from tests.designs.go2008.corrupt_page_heap import free_span
from tests.designs.go2008.lookup import SIZES

CLASS_8, CLASS_100, CLASS_3000 = (SIZES.index(size) for size in (8, 104, 3072))


def head_of(state: Go2008, size_class: int) -> int:
    """Return the first free object of thread 0."""
    return int(state.free_list[0, size_class].head)


def relink(state: Go2008, size_class: int, target: int) -> None:
    """Make the first free object of thread 0 link to `target`."""
    store_word(head_of(state, size_class), target)


CORRUPTIONS = Corruptions()
breaks = CORRUPTIONS.breaks


@breaks(check_caches.free_objects_are_counted_once, "is free twice")
def object_links_to_itself(state: Go2008, memory: Reservation) -> None:
    relink(state, CLASS_8, head_of(state, CLASS_8))


@breaks(check_caches.free_objects_are_counted_once, "is free twice")
def object_on_two_lists(state: Go2008, memory: Reservation) -> None:
    state.free_list[1, CLASS_8].head = head_of(state, CLASS_8)


@breaks(check_caches.free_objects_are_counted_once, "is in a span of class")
def object_on_the_list_of_another_class(state: Go2008, memory: Reservation) -> None:
    state.free_list[0, CLASS_8].head = head_of(state, CLASS_100)


@breaks(check_caches.free_objects_are_counted_once, "is not the start of an object of 104 bytes")
def link_into_an_object(state: Go2008, memory: Reservation) -> None:
    relink(state, CLASS_100, int(load_word(head_of(state, CLASS_100))) + 8)


@breaks(check_caches.free_objects_are_counted_once, "is not the start of an object of 3072 bytes")
def link_into_the_tail(state: Go2008, memory: Reservation) -> None:
    span = np.flatnonzero(state.span.size_class == CLASS_3000)[0]
    relink(state, CLASS_3000, int(state.span[span].address + state.span[span].objects * 3072))


@breaks(check_caches.free_objects_are_counted_once, "in state 2")
def link_into_a_free_span(state: Go2008, memory: Reservation) -> None:
    relink(state, CLASS_8, int(state.span[free_span(state)].address))


@breaks(check_caches.free_objects_are_counted_once, "but its length is")
def link_out_of_the_heap(state: Go2008, memory: Reservation) -> None:
    relink(state, CLASS_8, 12345)


@breaks(check_caches.free_objects_are_counted_once, "objects in list 0 of thread 0: ")
def object_lost(state: Go2008, memory: Reservation) -> None:
    state.free_list[0, CLASS_8].head = load_word(head_of(state, CLASS_8))


@breaks(check_caches.free_objects_are_counted_once, "objects in list 0 of thread 1: ")
def list_length_miscounted(state: Go2008, memory: Reservation) -> None:
    state.free_list[1, CLASS_8].length += 1


@breaks(check_caches.free_objects_are_counted_once, "objects in all, but `cached` of the class is")
def cached_objects_miscounted(state: Go2008, memory: Reservation) -> None:
    state.size_class[12].cached += 1


@breaks(check_caches.class_counts_agree, "class 0 counts")
def objects_in_use_miscounted(state: Go2008, memory: Reservation) -> None:
    state.size_class[0].in_use += 1


@breaks(check_caches.class_counts_agree, "class 0 counts")
def spans_of_a_class_miscounted(state: Go2008, memory: Reservation) -> None:
    state.size_class[0].spans += 1


@breaks(check_caches.class_counts_agree, "has -1 objects in use")
def more_objects_free_than_there_are(state: Go2008, memory: Reservation) -> None:
    count = state.size_class[0]
    count.cached, count.in_use = count.cached + count.in_use + 1, -1


@breaks(check_caches.free_objects_are_zero, "is not all zeros")
def first_byte_after_a_link_written(state: Go2008, memory: Reservation) -> None:
    memory.view(head_of(state, CLASS_100) + 8, 1)[0] = 1


@breaks(check_caches.free_objects_are_zero, "is not all zeros")
def last_byte_of_a_free_object_written(state: Go2008, memory: Reservation) -> None:
    second = int(load_word(head_of(state, CLASS_100)))
    memory.view(second + 103, 1)[0] = 0x80


@breaks(check_caches.free_objects_are_counted_once, "is not the start of an object of 8 bytes")
def fresh_objects_begin_inside_one(state: Go2008, memory: Reservation) -> None:
    state.free_list[0, CLASS_8].fresh += 4


@breaks(check_caches.free_objects_are_counted_once, "is free twice")
def freed_object_is_fresh_too(state: Go2008, memory: Reservation) -> None:
    state.free_list[0, CLASS_8].fresh -= 8 * 18


@breaks(check_caches.free_objects_are_zero, "is not all zeros")
def fresh_object_written(state: Go2008, memory: Reservation) -> None:
    memory.view(int(state.free_list[0, CLASS_100].end) - 1, 1)[0] = 1
