"""Metadata: the bytes of Go's own records, which are outside the heap.

This module counts the bytes of span records, which Go obtains 16 KiB at a time and never releases.
For each arena of 64 MiB, it adds the page map (heapArena), and the bitmaps and summaries of the
arena's chunks of 4 MiB. Mark bits outside spans are small and not counted. A memory limit
also covers the other memory of the runtime (`mapped_ready`).
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.system import count_metadata
from allocsim.designs.go.records import Go
from allocsim.designs.go.spans import prefetch_span

FIXALLOC_CHUNK = 16 << 10
"""Bytes that Go obtains at a time for span records (_FixAllocChunk)."""

SPANS_PER_CHUNK = FIXALLOC_CHUNK // 160
"""Span records in FIXALLOC_CHUNK bytes: 160 bytes each in Go 1.27."""

ARENA = 64 << 20
"""Bytes of an arena (heapArenaBytes)."""

ARENA_CHUNKS = 16
"""Chunks of 4 MiB in an arena."""

ARENA_BYTES = 8192 * 8 + 2 * 1024 + ARENA_CHUNKS * (128 + 8 + 8)
"""Bytes of an arena's metadata: for each page an 8-byte pointer and two mark bits; for each chunk
its bitmaps, its summary and its scavenger record."""


RUNTIME_MAPPED = 3_900_000
"""Number of bytes that a small Go program has mapped, without its heap and without the records that
this module counts: mostly page map indexes, stacks and buffers. Measured with Go 1.27.3 on Linux,
with one P."""


@kernel
def mapped_ready(heap: Go) -> int:
    """Return the bytes that the runtime has mapped and not released (gcController.mappedReady)."""
    return heap.system[0].footprint + heap.gc_controller[0].runtime_mapped


@kernel
def can_make_span(heap: Go) -> bool:
    """Return whether there is a record for another span; if not, `refusal` says why.

    The table has room for one span per page, so only a frozen heap can lack a record.
    """
    mheap, system = heap.mheap[0], heap.system[0]
    is_full = mheap.last_span % SPANS_PER_CHUNK == 0
    if is_full and system.frozen and not mheap.unused_span:
        system.refusal = Status.FROZEN
        return False
    return True


@kernel
def allocate_span_record(heap: Go) -> int:
    """Return the number of an unused span record, which must exist (mheap.allocMSpanLocked)."""
    mheap = heap.mheap[0]
    span = int(mheap.unused_span)
    if span:
        mheap.unused_span = heap.span_use[span].prev
        prefetch_span(heap, mheap.unused_span)
        return span
    if mheap.last_span % SPANS_PER_CHUNK == 0:
        count_metadata(heap, FIXALLOC_CHUNK)
    mheap.last_span += 1
    return mheap.last_span


@kernel
def free_span_record(heap: Go, span: int) -> None:
    """Make a span record available again (mheap.freeMSpanLocked)."""
    mheap = heap.mheap[0]
    heap.span_use[span].prev = mheap.unused_span
    mheap.unused_span = span


@kernel
def allocate_arenas(heap: Go) -> None:
    """Count the metadata of the arenas that the heap has reached."""
    mheap = heap.mheap[0]
    arenas = (heap.system[0].next - mheap.start + ARENA - 1) // ARENA
    if arenas > mheap.arenas:
        count_metadata(heap, (arenas - mheap.arenas) * ARENA_BYTES)
        mheap.arenas = arenas
