"""Corruptions of classes, transfer cache and thread caches, for `test_check_caches`."""

from allocsim.core.memory import Reservation
from allocsim.core.raw import load_word, store_word
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc import check_caches
from allocsim.designs.tcmalloc.check_page_heap import listed, spans_of
from allocsim.designs.tcmalloc.records import SpanState
from allocsim.designs.tcmalloc.span import EMPTY_HEAD, NONEMPTY_HEAD, dll_prepend, dll_remove
from tests.corruptions import Corruptions
from tests.designs.tcmalloc.lookup import class_for

SMALL, TAILED = class_for(9216), class_for(2800)
"""A class with used transfer slots, and one whose spans have a tail."""


def head_of(state: HeapState, size_class: int, thread: int = 0) -> int:
    """The first free object on a list of a thread's cache."""
    found = int(state.free_list[thread, size_class].head)
    assert found
    return found


def partial(state: HeapState, size_class: int = SMALL) -> int:
    """A span of the class with at least one free object."""
    return listed(state, NONEMPTY_HEAD + size_class)[0]


CORRUPTIONS = Corruptions()
breaks = CORRUPTIONS.breaks


@breaks(check_caches.objects_are_free_once, "is free twice")
def object_in_two_caches(state: HeapState, memory: Reservation) -> None:
    state.free_list[1, SMALL].head = head_of(state, SMALL)


@breaks(check_caches.objects_are_free_once, "is free twice")
def object_in_a_slot_and_in_a_cache(state: HeapState, memory: Reservation) -> None:
    state.free_list[0, SMALL].head = state.tc_slots[SMALL, 0]


@breaks(check_caches.objects_are_free_once, "is free twice")
def object_in_a_span_and_in_a_cache(state: HeapState, memory: Reservation) -> None:
    state.free_list[0, SMALL].head = state.span[partial(state)].objects


@breaks(check_caches.objects_are_free_once, "objects, ")
def list_runs_in_a_circle(state: HeapState, memory: Reservation) -> None:
    store_word(head_of(state, SMALL), head_of(state, SMALL))


@breaks(check_caches.objects_are_free_once, "is in no span of class")
def object_on_the_list_of_another_class(state: HeapState, memory: Reservation) -> None:
    state.free_list[0, SMALL].head = head_of(state, TAILED)


@breaks(check_caches.objects_are_free_once, "is not the start of an object")
def link_into_an_object(state: HeapState, memory: Reservation) -> None:
    store_word(head_of(state, SMALL), head_of(state, SMALL) + 8)


@breaks(check_caches.objects_are_free_once, "is not the start of an object")
def link_into_the_tail_of_a_span(state: HeapState, memory: Reservation) -> None:
    span = next(span for span in spans_of(state).values() if span.size_class == TAILED)
    store_word(head_of(state, TAILED), span.address + 8 * 2816)


@breaks(check_caches.objects_are_free_once, "is in no span of class")
def link_into_free_pages(state: HeapState, memory: Reservation) -> None:
    free = next(span for span in spans_of(state).values() if span.state == SpanState.FREE)
    store_word(head_of(state, SMALL), free.address)


@breaks(check_caches.objects_are_free_once, "is in no span of class")
def link_out_of_the_heap(state: HeapState, memory: Reservation) -> None:
    store_word(head_of(state, SMALL), 12345)


@breaks(check_caches.objects_are_free_once, f"list {SMALL} of cache 0 holds")
def object_lost_from_a_list(state: HeapState, memory: Reservation) -> None:
    state.free_list[0, SMALL].head = load_word(head_of(state, SMALL))


@breaks(
    check_caches.objects_are_free_once, f"slot 0 of class {SMALL} holds 6 objects, but counts 7"
)
def object_lost_from_a_slot(state: HeapState, memory: Reservation) -> None:
    state.tc_slots[SMALL, 0] = load_word(int(state.tc_slots[SMALL, 0]))


@breaks(check_caches.objects_are_free_once, "objects, ")
def object_lost_from_a_span(state: HeapState, memory: Reservation) -> None:
    record = state.span[partial(state)]
    record.objects = load_word(int(record.objects))


@breaks(check_caches.objects_are_free_once, "are on free lists outside the span")
def refcount_below_the_free_objects(state: HeapState, memory: Reservation) -> None:
    for span in spans_of(state).values():
        if span.size_class == SMALL:
            state.span[span.number].refcount = 0


@breaks(check_caches.classes_count_their_spans, f"class {SMALL} counts")
def free_objects_miscounted(state: HeapState, memory: Reservation) -> None:
    state.size_class[SMALL].free_objects += 1


@breaks(check_caches.classes_count_their_spans, f"class {TAILED} counts")
def spans_of_a_class_miscounted(state: HeapState, memory: Reservation) -> None:
    state.size_class[TAILED].num_spans += 1


@breaks(check_caches.classes_count_their_spans, f"class {SMALL} lists wrong spans")
def span_with_objects_on_the_empty_list(state: HeapState, memory: Reservation) -> None:
    span = partial(state)
    dll_remove(state, span)
    dll_prepend(state, EMPTY_HEAD + SMALL, span)


@breaks(check_caches.classes_count_their_spans, f"class {SMALL} lists wrong spans")
def span_on_no_list(state: HeapState, memory: Reservation) -> None:
    dll_remove(state, partial(state))


@breaks(check_caches.classes_count_their_spans, f"class {SMALL} uses")
def more_slots_used_than_there_are(state: HeapState, memory: Reservation) -> None:
    state.size_class[SMALL].cache_size = state.size_class[SMALL].used_slots - 1


@breaks(check_caches.classes_count_their_spans, f"class {SMALL} uses")
def more_slots_than_a_class_can_have(state: HeapState, memory: Reservation) -> None:
    state.size_class[SMALL].max_cache_size = state.size_class[SMALL].cache_size - 1


@breaks(check_caches.caches_share_the_limit, "3 caches counted, 2 listed")
def caches_miscounted(state: HeapState, memory: Reservation) -> None:
    state.static[0].thread_heap_count += 1


@breaks(check_caches.caches_share_the_limit, "2 caches counted, 2 listed")
def dead_cache_listed(state: HeapState, memory: Reservation) -> None:
    state.cache[0].alive = 0


@breaks(check_caches.caches_share_the_limit, "the list of caches has a broken link, to 2")
def caches_listed_in_a_circle(state: HeapState, memory: Reservation) -> None:
    state.cache[0].next = state.static[0].thread_heaps


@breaks(check_caches.caches_share_the_limit, "2 caches counted, 1 listed")
def cache_with_a_wrong_backward_link(state: HeapState, memory: Reservation) -> None:
    state.cache[0].previous = 0


@breaks(check_caches.caches_share_the_limit, "cache 1 counts")
def bytes_of_a_cache_miscounted(state: HeapState, memory: Reservation) -> None:
    state.cache[1].size_ += 8


@breaks(check_caches.caches_share_the_limit, "shorter than its low-water mark")
def low_water_above_the_length(state: HeapState, memory: Reservation) -> None:
    objects = state.free_list[0, SMALL]
    objects.low_water_mark = objects.length + 1


@breaks(check_caches.caches_share_the_limit, "shorter than its low-water mark")
def list_of_negative_length(state: HeapState, memory: Reservation) -> None:
    objects = state.free_list[0, SMALL]
    objects.length = objects.low_water_mark = -1


@breaks(check_caches.caches_share_the_limit, "unclaimed bytes do not sum to")
def bytes_claimed_by_no_cache(state: HeapState, memory: Reservation) -> None:
    state.static[0].unclaimed_cache_space -= 1
