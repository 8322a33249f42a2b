"""The invariants of the tiers: silent on a sound heap, and each speaks when it is not."""

import numpy as np
import pytest

from allocsim import Heap
from allocsim.core import check_runs, check_tiers
from allocsim.core.check import Invariant
from allocsim.core.check_runs import listed, spans_of
from allocsim.core.linked_spans import FULL_HEAD, PARTIAL_HEAD, prepend, unlink
from allocsim.core.memory import Reservation
from allocsim.core.raw import load_word, store_word
from allocsim.core.records import CACHED_LIST, CENTRAL_CLASS, HeapState, SpanState
from tests.corruptions import GARBAGE, Corrupt, Corruptions, invariants_in, require_told
from tests.tcmalloc_records import class_for

INVARIANTS = check_tiers.INVARIANTS

SMALL, TAILED = class_for(9216), class_for(2800)
"""A class with used transfer slots, and one whose spans have a tail."""

own = sorted(invariants_in(check_tiers), key=lambda invariant: invariant.__name__)
each_invariant = pytest.mark.parametrize("invariant", own, ids=lambda i: i.__name__)


@each_invariant
def test_busy_heap_is_silent(
    busy_heap: Heap, busy_tcmalloc: HeapState, invariant: Invariant
) -> None:
    assert list(invariant(busy_tcmalloc, busy_heap.memory)) == []


@each_invariant
def test_empty_heap_is_silent(tcmalloc_heap: Heap, invariant: Invariant) -> None:
    assert list(invariant(tcmalloc_heap.state, tcmalloc_heap.memory)) == []


def test_busy_heap_has_free_objects_in_every_tier(
    busy_heap: Heap, busy_tcmalloc: HeapState
) -> None:
    kind = busy_tcmalloc.size_class[SMALL]
    assert 0 < kind.used <= kind.slots
    assert kind.free > 0
    assert all(part for name, part in busy_heap.profile().parts.items() if name != "live")
    assert busy_tcmalloc.object_list[0, TAILED].head
    assert busy_tcmalloc.object_list[1, TAILED].length


def head_of(state: HeapState, size_class: int, thread: int = 0) -> int:
    """The first free object on a list of a thread's cache."""
    found = int(state.object_list[thread, size_class].head)
    assert found
    return found


def partial(state: HeapState, size_class: int = SMALL) -> int:
    """A span of the class that has free objects."""
    return listed(state, PARTIAL_HEAD + size_class)[0]


CORRUPTIONS = Corruptions()
speaks = CORRUPTIONS.speaks


@speaks(check_tiers.objects_are_free_once, "is free twice")
def object_in_two_caches(state: HeapState, memory: Reservation) -> None:
    state.object_list[1, SMALL].head = head_of(state, SMALL)


@speaks(check_tiers.objects_are_free_once, "is free twice")
def object_in_a_slot_and_in_a_cache(state: HeapState, memory: Reservation) -> None:
    state.object_list[0, SMALL].head = state.slot[SMALL, 0]


@speaks(check_tiers.objects_are_free_once, "is free twice")
def object_in_a_span_and_in_a_cache(state: HeapState, memory: Reservation) -> None:
    state.object_list[0, SMALL].head = state.span[partial(state)].objects


@speaks(check_tiers.objects_are_free_once, "objects, ")
def list_runs_in_a_circle(state: HeapState, memory: Reservation) -> None:
    store_word(head_of(state, SMALL), head_of(state, SMALL))


@speaks(check_tiers.objects_are_free_once, "lies in no span of class")
def object_on_the_list_of_another_class(state: HeapState, memory: Reservation) -> None:
    state.object_list[0, SMALL].head = head_of(state, TAILED)


@speaks(check_tiers.objects_are_free_once, "is not the start of an object")
def link_into_an_object(state: HeapState, memory: Reservation) -> None:
    store_word(head_of(state, SMALL), head_of(state, SMALL) + 8)


@speaks(check_tiers.objects_are_free_once, "is not the start of an object")
def link_into_the_tail_of_a_span(state: HeapState, memory: Reservation) -> None:
    span = next(span for span in spans_of(state).values() if span.size_class == TAILED)
    store_word(head_of(state, TAILED), span.address + 8 * 2816)


@speaks(check_tiers.objects_are_free_once, "lies in no span of class")
def link_into_free_pages(state: HeapState, memory: Reservation) -> None:
    free = next(span for span in spans_of(state).values() if span.state == SpanState.FREE)
    store_word(head_of(state, SMALL), free.address)


@speaks(check_tiers.objects_are_free_once, "lies in no span of class")
def link_out_of_the_heap(state: HeapState, memory: Reservation) -> None:
    store_word(head_of(state, SMALL), 12345)


@speaks(check_tiers.objects_are_free_once, f"list {SMALL} of cache 0 holds")
def object_lost_from_a_list(state: HeapState, memory: Reservation) -> None:
    state.object_list[0, SMALL].head = load_word(head_of(state, SMALL))


@speaks(check_tiers.objects_are_free_once, f"slot 0 of class {SMALL} holds 6 objects, 7 counted")
def object_lost_from_a_slot(state: HeapState, memory: Reservation) -> None:
    state.slot[SMALL, 0] = load_word(int(state.slot[SMALL, 0]))


@speaks(check_tiers.objects_are_free_once, "objects, ")
def object_lost_from_a_span(state: HeapState, memory: Reservation) -> None:
    record = state.span[partial(state)]
    record.objects = load_word(int(record.objects))


@speaks(check_tiers.objects_are_free_once, "wait")
def more_objects_wait_than_were_handed_out(state: HeapState, memory: Reservation) -> None:
    for span in spans_of(state).values():
        if span.size_class == SMALL:
            state.span[span.number].handed_out = 0


@speaks(check_tiers.classes_count_their_spans, f"class {SMALL} counts")
def free_objects_miscounted(state: HeapState, memory: Reservation) -> None:
    state.size_class[SMALL].free += 1


@speaks(check_tiers.classes_count_their_spans, f"class {TAILED} counts")
def spans_of_a_class_miscounted(state: HeapState, memory: Reservation) -> None:
    state.size_class[TAILED].spans += 1


@speaks(check_tiers.classes_count_their_spans, f"class {SMALL} lists wrong spans")
def span_with_objects_on_the_list_of_those_without(state: HeapState, memory: Reservation) -> None:
    span = partial(state)
    unlink(state, span)
    prepend(state, FULL_HEAD + SMALL, span)


@speaks(check_tiers.classes_count_their_spans, f"class {SMALL} lists wrong spans")
def span_on_no_list(state: HeapState, memory: Reservation) -> None:
    unlink(state, partial(state))


@speaks(check_tiers.classes_count_their_spans, f"class {SMALL} uses")
def more_slots_used_than_there_are(state: HeapState, memory: Reservation) -> None:
    state.size_class[SMALL].slots = state.size_class[SMALL].used - 1


@speaks(check_tiers.classes_count_their_spans, f"class {SMALL} uses")
def more_slots_than_a_class_can_have(state: HeapState, memory: Reservation) -> None:
    state.size_class[SMALL].most_slots = state.size_class[SMALL].slots - 1


@speaks(check_tiers.caches_keep_their_budget, "3 caches counted, 2 listed")
def caches_miscounted(state: HeapState, memory: Reservation) -> None:
    state.budget[0].caches += 1


@speaks(check_tiers.caches_keep_their_budget, "2 caches counted, 2 listed")
def dead_cache_listed(state: HeapState, memory: Reservation) -> None:
    state.cache[0].alive = 0


@speaks(check_tiers.caches_keep_their_budget, "the list of caches leads astray, to 2")
def caches_listed_in_a_circle(state: HeapState, memory: Reservation) -> None:
    state.cache[0].next = state.budget[0].first


@speaks(check_tiers.caches_keep_their_budget, "2 caches counted, 1 listed")
def cache_that_does_not_lead_back(state: HeapState, memory: Reservation) -> None:
    state.cache[0].previous = 0


@speaks(check_tiers.caches_keep_their_budget, "cache 1 counts")
def bytes_of_a_cache_miscounted(state: HeapState, memory: Reservation) -> None:
    state.cache[1].held += 8


@speaks(check_tiers.caches_keep_their_budget, "shorter than its low water")
def low_water_above_the_length(state: HeapState, memory: Reservation) -> None:
    objects = state.object_list[0, SMALL]
    objects.low_water = objects.length + 1


@speaks(check_tiers.caches_keep_their_budget, "shorter than its low water")
def list_of_negative_length(state: HeapState, memory: Reservation) -> None:
    objects = state.object_list[0, SMALL]
    objects.length = objects.low_water = -1


@speaks(check_tiers.caches_keep_their_budget, "are unclaimed, of")
def bytes_claimed_by_nobody(state: HeapState, memory: Reservation) -> None:
    state.budget[0].unclaimed -= 1


@pytest.mark.parametrize(
    ("invariant", "corrupt", "sentence"), CORRUPTIONS.all, ids=CORRUPTIONS.names
)
def test_corruption_is_told(
    busy_heap: Heap, invariant: Invariant, corrupt: Corrupt, sentence: str
) -> None:
    require_told(busy_heap, invariant, corrupt, sentence)


def test_every_invariant_of_the_tiers_has_a_corruption() -> None:
    assert CORRUPTIONS.invariants == set(own)


def test_design_names_every_invariant_that_there_is() -> None:
    assert set(INVARIANTS) == invariants_in(check_runs) | invariants_in(check_tiers)
    assert len(INVARIANTS) == len(set(INVARIANTS))


UNPROVED = ("object_size", "pages", "batch", "most_slots")
"""Constants of a class: no invariant holds them against the rule that made them."""

TABLES = [
    *(("size_class", name) for name in CENTRAL_CLASS.names if name not in UNPROVED),
    *(("cache", name) for name in ("held", "most", "next", "previous")),
    *(("budget", name) for name in ("total", "unclaimed", "first", "caches")),
    *(("object_list", name) for name in CACHED_LIST.names[:3]),
    ("slot", ""),
]


@pytest.mark.parametrize(("table", "field"), TABLES, ids=str)
def test_number_beyond_its_table_is_told(
    busy_heap: Heap, busy_tcmalloc: HeapState, table: str, field: str
) -> None:
    place = {"size_class": SMALL, "object_list": (0, SMALL), "slot": (SMALL, 0)}.get(table, 0)
    found = getattr(busy_tcmalloc, table)
    if field:
        found = found[field]
    limits = np.iinfo(found.dtype)
    for value in GARBAGE:
        found[place] = min(max(value, limits.min), limits.max)
        assert busy_heap.check() != [], value


def test_link_of_any_number_is_told(busy_heap: Heap, busy_tcmalloc: HeapState) -> None:
    for link in (-(2**62), -1, 8, 2**31, 2**62):
        store_word(head_of(busy_tcmalloc, SMALL), link)
        assert busy_heap.check() != [], link


def test_link_in_the_last_bytes_of_the_heap_is_told(
    busy_heap: Heap, busy_tcmalloc: HeapState
) -> None:
    store_word(head_of(busy_tcmalloc, SMALL), int(busy_tcmalloc.system[0].next) - 1)
    assert busy_heap.check() != []
