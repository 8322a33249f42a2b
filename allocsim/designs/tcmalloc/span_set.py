"""Sets of long free spans, ordered by length and then by address.

Below the page heap that joins its runs, which looks here for the best fit beyond its lists. A set
is a treap (Seidel and Aragon, 1996) through the span records: a search tree by (pages, address)
and a heap by a priority hashed from the span's number, so it stays shallow whatever the order of
calls. Its one rule: where a set's root or a branch is kept is named by a *seat*: 2 * span for its
left branch, 2 * span + 1 for its right one, and 0 or 1 for the roots of the two sets.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.records import SpanState

FREE_SEAT, RETURNED_SEAT = 0, 1
"""The seats of the roots: of the FREE spans, and of the RETURNED ones."""


@kernel
def seat_of_set(state: int) -> int:
    """The seat of the root of the set for spans in `state`."""
    return RETURNED_SEAT if state == SpanState.RETURNED else FREE_SEAT


@kernel
def add_to_set(heap: HeapState, root: int, span: int) -> None:
    """Put `span` into the set whose root sits at `root`."""
    seat = root
    while sitting(heap, seat) and _priority(sitting(heap, seat)) >= _priority(span):
        seat = _seat_towards(heap, sitting(heap, seat), span)
    above = sitting(heap, seat)
    _seat_span(heap, seat, span)
    # What sat there is split by the order into what comes before `span` and what comes behind.
    before, behind = 2 * span, 2 * span + 1
    while above:
        if _comes_before(heap, above, span):
            _seat_span(heap, before, above)
            before = 2 * above + 1
            above = heap.span[above].right
        else:
            _seat_span(heap, behind, above)
            behind = 2 * above
            above = heap.span[above].left
    _seat_span(heap, before, 0)
    _seat_span(heap, behind, 0)


@kernel
def take_from_set(heap: HeapState, root: int, span: int) -> None:
    """Take `span` out of the set whose root sits at `root`."""
    seat = root
    while sitting(heap, seat) != span:
        seat = _seat_towards(heap, sitting(heap, seat), span)
    left, right = int(heap.span[span].left), int(heap.span[span].right)
    while left and right:
        if _priority(left) >= _priority(right):
            _seat_span(heap, seat, left)
            seat = 2 * left + 1
            left = heap.span[left].right
        else:
            _seat_span(heap, seat, right)
            seat = 2 * right
            right = heap.span[right].left
    _seat_span(heap, seat, left or right)
    heap.span[span].left = 0
    heap.span[span].right = 0


@kernel
def first_of_length(heap: HeapState, root: int, pages: int) -> int:
    """The first span of the set that has at least `pages` pages: the best fit; 0: none."""
    span, found = sitting(heap, root), 0
    while span:
        if heap.span[span].pages >= pages:
            found = span
            span = heap.span[span].left
        else:
            span = heap.span[span].right
    return found


@kernel
def sitting(heap: HeapState, seat: int) -> int:
    """The span that sits at `seat`; 0: none."""
    page_heap = heap.page_heap[0]
    if seat == FREE_SEAT:
        return page_heap.free_set
    if seat == RETURNED_SEAT:
        return page_heap.returned_set
    record = heap.span[seat >> 1]
    return record.right if seat & 1 else record.left


@kernel
def _seat_span(heap: HeapState, seat: int, span: int) -> None:
    """Make `span`, or none, sit at `seat`."""
    if seat == FREE_SEAT:
        heap.page_heap[0].free_set = span
    elif seat == RETURNED_SEAT:
        heap.page_heap[0].returned_set = span
    elif seat & 1:
        heap.span[seat >> 1].right = span
    else:
        heap.span[seat >> 1].left = span


@kernel
def _seat_towards(heap: HeapState, parent: int, span: int) -> int:
    """The branch of `parent` on whose side `span` belongs."""
    return 2 * parent + _comes_before(heap, parent, span)


@kernel
def _comes_before(heap: HeapState, one: int, other: int) -> bool:
    """Whether span `one` stands before `other` in the order of a set."""
    first, second = heap.span[one], heap.span[other]
    if first.pages != second.pages:
        return first.pages < second.pages
    return first.address < second.address


@kernel
def _priority(span: int) -> int:
    """A number that looks random, by multiplicative hashing of the span's."""
    return (int(span) * 2654435761) & 0xFFFFFFFF
