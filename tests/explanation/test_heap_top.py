"""A heap that shrinks only at its end: the last live objects, and the effect of freeing them."""

import numpy as np
import pytest

from allocsim.benchmark.comparison import Conditions
from allocsim.driver import Touch
from allocsim.explanation.heap_map import HeapMap
from allocsim.explanation.heap_top import HeapTop, heap_top
from allocsim.explanation.on_design import OnDesign
from allocsim.explanation.sentences import sentences
from allocsim.explanation.what_if import WhatIf
from allocsim.libraries.find import find_library
from tests.explanation.patterns import labels_of, two_owners
from tests.explanation.test_on_library import on
from tests.playing import trace_of

COUNT = 30_000
"""Objects of each owner."""

CHUNK = 208
"""Bytes of the chunk of an object of 200 bytes."""


def top_of(heap: HeapMap) -> HeapTop:
    """Return the end of the heap of `two_owners`; A has the lower half of the objects."""
    found = heap_top(heap, labels_of(["A", "B"], (heap.number >= COUNT).astype(np.int64)))
    assert found is not None
    return found


def check_two_owners(subject: OnDesign, event: int) -> None:
    """B has the upper half of the heap. Freeing B releases this half, and freeing A nothing."""
    heap = subject.map_at(event)
    top, whole = top_of(heap), 2 * COUNT * CHUNK
    assert (top.group, top.objects) == ("B", COUNT // 2)
    assert top.length >= top.last_end == pytest.approx(whole, abs=64 << 10)
    assert top.held == pytest.approx(COUNT * CHUNK, abs=20 * CHUNK)
    usable = (COUNT // 20 + COUNT // 2) * 200  # without the headers of chunks
    assert top.free_below == pytest.approx(whole - usable, abs=128 << 10)
    is_b = heap.number >= COUNT
    sets = [heap.number[~is_b], heap.number[is_b]]
    without_a, without_b = (unasked for unasked, _ in subject.after_release(event, sets))
    assert without_a == pytest.approx(heap.footprint, abs=128 << 10)
    assert heap.footprint - without_b == pytest.approx(COUNT * CHUNK, abs=400 << 10)


@pytest.mark.compiled
def test_freeing_the_upper_owner_releases_its_half_and_the_lower_one_nothing() -> None:
    events = two_owners(COUNT)
    check_two_owners(
        OnDesign("glibc", lambda: trace_of(events), Conditions(touch=Touch.NONE)), len(events)
    )


@pytest.mark.compiled
def test_library_has_the_same_end_as_the_design() -> None:
    if find_library("mimalloc") is None:
        pytest.skip("mimalloc is not installed, so Python uses glibc and moves the break too")
    events = two_owners(COUNT)
    check_two_owners(on("glibc", events), len(events))  # type: ignore[arg-type]


def test_heap_without_a_break_or_without_objects_has_no_end() -> None:
    none = np.zeros(0, np.int64)
    empty = HeapMap(0, 0, none, none, none, none, none, none, none, ("empty",), {})
    assert heap_top(empty, labels_of([], none)) is None
    subject = OnDesign("glibc", lambda: trace_of(two_owners(0)), Conditions(touch=Touch.NONE))
    assert heap_top(subject.map_at(0), labels_of([], none)) is None


MIB = 1 << 20


@pytest.mark.parametrize(
    ("free_below", "change", "held", "said"),
    [
        (
            20,
            -19,
            19,
            "into the heap of 47.0 MiB. Unless a release is requested, none of the 20.0 MiB",
        ),
        (20, -19, 19, "Freeing the whole group releases 19.0 MiB at once (measured)."),
        (20, 0, 0.5, "change little: another live object ends only 512.0 KiB lower (measured)."),
        (20, 0, 19, "in the last 19.0 MiB of the heap, but would change little: the allocator"),
        (4, -3, 3, "Nothing to gain"),
    ],
)
def test_sentence_states_what_the_last_object_holds(
    free_below: int, change: int, held: float, said: str
) -> None:
    top = HeapTop(47 * MIB, 46 * MIB, free_below * MIB, "f a.c:1", 1, int(held * MIB))
    freed = WhatIf("unasked", "f a.c:1", "", (47 + change) * MIB, change * MIB, "measured")
    (sentence,) = sentences(47 * MIB, {"live": 46 * MIB}, [], [freed], top)
    assert said in sentence
