"""Ordered sets of large free spans, for best fit (SpanSet in src/span.h, a std::set there).

Here a set is a treap (Seidel and Aragon, 1996) keyed by (pages, address). Its links are fields of
the span records, so it needs no memory of its own. The priority of a span is a hash of its number,
which keeps the treap shallow whatever the order of calls.

Each link has a number, so that the same code can change the link to a root or to a child. Links
2*span and 2*span+1 lead to the left and right child of `span`. Span 0 does not exist, so links 0
and 1 are free to lead to the roots of the FREE and RETURNED sets.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.designs.tcmalloc.records import SpanState, Tcmalloc

FREE_ROOT, RETURNED_ROOT = 0, 1
"""The links to the roots of the two sets."""


@kernel
def root_of(state: int) -> int:
    """Return the root link of the set of spans in `state`."""
    return RETURNED_ROOT if state == SpanState.RETURNED else FREE_ROOT


@kernel
def insert_span(heap: Tcmalloc, root: int, span: int) -> None:
    """Add `span` to a set: descend to where its priority puts it, then split the subtree there."""
    link = root
    while linked_span(heap, link) and _priority(linked_span(heap, link)) >= _priority(span):
        link = _child_towards(heap, linked_span(heap, link), span)
    rest = linked_span(heap, link)
    _set_link(heap, link, span)
    before, after = 2 * span, 2 * span + 1
    while rest:
        if _precedes(heap, rest, span):
            _set_link(heap, before, rest)
            before = 2 * rest + 1
            rest = heap.span[rest].right
        else:
            _set_link(heap, after, rest)
            after = 2 * rest
            rest = heap.span[rest].left
    _set_link(heap, before, 0)
    _set_link(heap, after, 0)


@kernel
def erase_span(heap: Tcmalloc, root: int, span: int) -> None:
    """Remove `span` from a set: merge its two subtrees by priority, and link them in its place."""
    link = root
    while linked_span(heap, link) != span:
        link = _child_towards(heap, linked_span(heap, link), span)
    left, right = int(heap.span[span].left), int(heap.span[span].right)
    while left and right:
        if _priority(left) >= _priority(right):
            _set_link(heap, link, left)
            link = 2 * left + 1
            left = heap.span[left].right
        else:
            _set_link(heap, link, right)
            link = 2 * right
            right = heap.span[right].left
    _set_link(heap, link, left or right)
    heap.span[span].left = 0
    heap.span[span].right = 0


@kernel
def lower_bound(heap: Tcmalloc, root: int, pages: int) -> int:
    """Return the best fit (the first span with at least `pages` pages), or 0 if none fits."""
    span, fit = linked_span(heap, root), 0
    while span:
        if heap.span[span].pages >= pages:
            fit = span
            span = heap.span[span].left
        else:
            span = heap.span[span].right
    return fit


@kernel
def linked_span(heap: Tcmalloc, link: int) -> int:
    """Return the span that `link` leads to, or 0 if it leads to no span."""
    page_heap = heap.page_heap[0]
    if link == FREE_ROOT:
        return page_heap.large_normal
    if link == RETURNED_ROOT:
        return page_heap.large_returned
    record = heap.span[link >> 1]
    return record.right if link & 1 else record.left


@kernel
def _set_link(heap: Tcmalloc, link: int, span: int) -> None:
    """Make `link` lead to `span`, or to no span if `span` is 0."""
    if link == FREE_ROOT:
        heap.page_heap[0].large_normal = span
    elif link == RETURNED_ROOT:
        heap.page_heap[0].large_returned = span
    elif link & 1:
        heap.span[link >> 1].right = span
    else:
        heap.span[link >> 1].left = span


@kernel
def _child_towards(heap: Tcmalloc, parent: int, span: int) -> int:
    """Return the child link of `parent` on the side where `span` belongs."""
    return 2 * parent + _precedes(heap, parent, span)


@kernel
def _precedes(heap: Tcmalloc, one: int, other: int) -> bool:
    """Return whether span `one` comes before `other` in the order of a set (SpanBestFitLess)."""
    first, second = heap.span[one], heap.span[other]
    if first.pages != second.pages:
        return first.pages < second.pages
    return first.address < second.address


@kernel
def _priority(span: int) -> int:
    """Return a pseudo-random number: the span number, multiplicatively hashed."""
    return (int(span) * 2654435761) & 0xFFFFFFFF  # 2**32 / golden ratio (Knuth)
