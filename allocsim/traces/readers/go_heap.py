"""The heap that the events of a Go execution trace describe (see `go_trace`).

`GoHeap` follows the spans and live objects, and turns the events into calls. A span is a run of
pages. It has either one large object, or slots of one size; a slot has one object or several tiny
objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from allocsim.designs.go.size_classes import CLASSES, PAGE
from allocsim.events import Op
from allocsim.traces.calls import Call
from allocsim.traces.scan.go_batch import number_at

SPAN_EXISTS, SPAN_ALLOC, SPAN_FREE = 128, 129, 130
OBJECT_EXISTS, OBJECT_ALLOC, OBJECT_FREE = 131, 132, 133
"""Types of events. EXISTS events describe spans and objects that are older than the trace."""

ROWS = 1 << 16
"""Number of events that are converted to Python objects at a time."""

OBJECT_UNIT = 8
"""Unit of object ids in bytes. Id N is at N * OBJECT_UNIT bytes from the heap's lowest address."""


class GoHeap:
    """The spans and live objects after the events read so far.

    Memory use grows with the number of live objects and of pages.
    """

    def __init__(self) -> None:
        self._base = 0
        """Lowest address of the heap."""
        self._slots_of_page = dict[int, tuple[int, int]]()
        """Key: a page of small objects, or the first page of a large object. Value: the offset of
        the page's span from the heap's lowest address, and the length of a slot, both in bytes."""
        self._live = set[int]()
        """Addresses of the slots in use."""
        self.has_events = False
        self._shared = self._strays = self._existing = 0

    def calls(self, generation: tuple[list[bytes], list[tuple[int, Any]]]) -> Iterator[Call]:
        """Yield the calls of a generation (a part of the trace), in the order of their times."""
        for description in generation[0]:
            self._describe(description)
        if not generation[1]:
            return
        for thread, (_, kind, first, second, third) in _sorted(generation[1]):
            self.has_events = True
            if kind in (SPAN_EXISTS, SPAN_ALLOC):
                self._add_span(first, second, third)
            elif kind == OBJECT_FREE:
                yield from self._free(first, thread)
            elif kind in (OBJECT_ALLOC, OBJECT_EXISTS):
                yield from self._allocate(first, thread, kind == OBJECT_ALLOC)

    def notes(self) -> list[str]:
        """Return sentences about what the trace does not show."""
        notes = ["Go traces have no requested sizes: objects have the sizes of their size classes"]
        if self._shared:
            notes.append(
                f"allocations below 16 bytes in a block that has another object: {self._shared:,}; "
                "each block counts as one object"
            )
        if self._existing:
            notes.append(f"objects that existed when the trace began: {self._existing:,}")
        if self._strays:
            notes.append(f"allocations in spans that the trace does not describe: {self._strays:,}")
        return notes

    def _describe(self, payload: bytes) -> None:
        """Read the heap's lowest address from a payload, unless the payload lists Go's types."""
        if payload[:1] == b"\1":
            self._base, _ = number_at(np.frombuffer(payload, np.uint8), 1)

    def _add_span(self, span: int, npages: int, kind: int) -> None:
        """Store the offset of a span and the length of its slots, for each page of the span."""
        if kind & 1:  # the span is for stacks or work buffers, and has no objects
            return
        size_class = kind >> 2
        if size_class == 0:  # the span is one large object
            self._slots_of_page[span] = (span * PAGE, npages * PAGE)
        elif size_class <= len(CLASSES):
            size, pages = CLASSES[size_class - 1]
            slots = dict.fromkeys(range(span, span + pages), (span * PAGE, size))
            self._slots_of_page.update(slots)

    def _slot(self, number: int) -> tuple[int, int]:
        """Return the address and length of the slot of an object id. An unknown slot has length 0.

        A sweep reports the id of a slot. An allocation may report another id: an object of more
        than 512 bytes that has pointers comes after a header of 8 bytes, and a tiny object may be
        anywhere in its slot.
        """
        offset = number * OBJECT_UNIT
        start, size = self._slots_of_page.get(offset // PAGE, (0, 0))
        return self._base + (offset - (offset - start) % size if size else 0), size

    def _allocate(self, number: int, thread: int, is_new: bool) -> Iterator[Call]:
        """Yield the call that allocates an object, unless a live object is in the same slot."""
        address, size = self._slot(number)
        if size == 0:
            self._strays += 1
            return
        if address in self._live:
            self._shared += is_new
            return
        self._live.add(address)
        self._existing += not is_new
        yield Call(Op.MALLOC, address, request=size, thread=thread)

    def _free(self, number: int, thread: int) -> Iterator[Call]:
        """Yield the call that frees the object, or the tiny objects, of a slot."""
        address, _ = self._slot(number)
        if address in self._live:
            self._live.remove(address)
            yield Call(Op.FREE, address, thread=thread)


def _sorted(batches: list[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """Yield (thread, event) for all events, sorted by time; a thread's events keep their order."""
    threads = np.repeat(
        [thread % 2**31 for thread, _ in batches], [len(part) for _, part in batches]
    )
    events = np.concatenate([part for _, part in batches])
    order = np.argsort(events["time"], kind="stable")
    # As Python objects, events take ten times as much memory as in the array.
    for start in range(0, len(order), ROWS):
        rows = order[start : start + ROWS]
        yield from zip(threads[rows].tolist(), events[rows].tolist(), strict=True)
