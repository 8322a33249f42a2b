"""The records of a go heap, and the state that holds them.

Each record has the name of a type of Go's runtime, and its fields have the names of the type's
members. Pages are numbered from 0, beginning at the heap's first byte, and spans from 1. Span 0 is
the null span.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocsim.core.records import Counters, Grid, Int32, Int64, Struct, System, Table

PARTIAL, FULL = 0, 1
"""Columns of `Go.span_set`: the spans with a free slot, and those without."""


STACK = -1
"""The class of the span of a stack segment."""


class MSpan(Struct):
    """A span: pages with objects of one class, one large object or a stack segment (mspan)."""

    start_addr: Int64  # address of the first byte; 0 in an unused record
    npages: Int64  # length in pages
    offset: Int64  # number of pages before the large object, if it is aligned to more than a page


class SpanUse(Struct):
    """The members of mspan that a collection reads while following the links of a span set.

    They have a table of their own, because 16 bytes for each span of a large heap fit into the
    CPU's caches, and whole records do not.
    """

    next: Int32  # next span of the same set
    prev: Int32  # previous span of the same set; in an unused record, the next unused record
    alloc_count: Int32  # taken slots, dead objects included; not updated while the span is cached
    size_class: Int32  # class of its objects; 0: one large object; STACK: a stack segment


class SpanSet(Struct):
    """A queue of spans: pushed at the tail, popped at the head (spanSet)."""

    head: Int64
    tail: Int64


class MCentral(Struct):
    """A size class: its spans (mcentral), and its span in the cache of the only P (mcache).

    The cached span is searched 64 slots at a time, forwards only.
    """

    alloc_cache: Int64  # a bit for each of the current 64 slots: 1 if it is free (mspan.allocCache)
    alloc_base: Int64  # address of the first of these 64 slots
    alloc_row: Int64  # index in gc_bits of the word with the live bits of these 64 slots
    alloc_bit: Int64  # index, in these 64, of the slot taken last; -1 if none
    elemsize: Int64  # bytes of an object
    div_mul: Int64  # 2**32 / elemsize, rounded up: an offset becomes an index without a division
    alloc: Int64  # the cached span; 0 if none (mcache.alloc)
    alloc_word: Int64  # the current slots are those from 64 * alloc_word on; -1: none yet
    npages: Int64  # pages of a span
    nelems: Int64  # objects of a span
    reusable: Int64  # address of the newest reusable object; 0 if none (mcache.reusableNoscan)
    num_reusable: Int64  # objects on the list that begins at `reusable`; 0 without freegc
    unswept: Int64  # during a sweep: next span to put back into a set; 0 if none
    next_class: Int64  # during a sweep: next class with such a span; 0 if none


class MHeap(Struct):
    """The heap, its page allocator and the only P (mheap, pageAlloc, p.pcache, mcache)."""

    start: Int64  # address of page 0
    chunks: Int64  # chunks of 512 pages mapped so far
    search_addr: Int64  # page below which no page is free (pageAlloc.searchAddr)
    pages_in_use: Int64  # pages of all spans of objects (gcController.heapInUse)
    manual_pages: Int64  # pages of stack segments and work buffers
    scav: Int64  # number of released pages in the run of pages allocated last
    last_span: Int64  # highest span number used so far
    unused_span: Int64  # first unused span record; 0 if none
    arenas: Int64  # arenas of 64 MiB for which metadata was counted
    page_cache_base: Int64  # first page of the block of 64 pages that the page cache takes from
    page_cache: Int64  # a bit for each page of the block: 1 if it is free (pageCache.cache)
    page_cache_scav: Int64  # a bit for each page: 1 if it is free and released (pageCache.scav)
    tiny: Int64  # address of the current tiny block; 0 if none (mcache.tiny)
    tinyoffset: Int64  # bytes of that block in use (mcache.tinyoffset)
    tails: Int64  # bytes in no slot, at the ends of the spans of small objects
    partial: Int64  # bytes of free slots of the spans in partial sets
    cached: Int64  # bytes of free slots of cached spans, and of objects to reuse (freegc)
    direct: Int64  # 1: a free takes effect at once, and nothing is ever collected
    freegc: Int64  # 1: freed objects are reused before the next collection
    sweeping: Int64  # 1: a sweep is running; the summaries of chunks are updated at its end
    # In gc_bits, the word of taken bits is `taken` words after the word of live bits. `taken` is 1,
    # or 0 if `direct` is set, because then the live bits serve as taken bits too.
    taken: Int64


class GcController(Struct):
    """The pacer (gcController) and the counts of dead objects.

    `runtime_live`, `runtime_growth` and `scannable` are 0, unless the heap is compared with that of
    a real process.
    """

    gc_percent: Int64  # GOGC; negative: only the memory limit makes the pacer collect
    memory_limit: Int64  # GOMEMLIMIT in bytes; NO_LIMIT: none
    heap_live: Int64  # bytes marked by the last collection + bytes of spans taken into use since
    heap_marked: Int64  # bytes of the objects that the last collection found live
    gc_percent_heap_goal: Int64  # heap_goal if there were no memory limit (gcPercentHeapGoal)
    heap_goal: Int64  # size that the heap should have when the next collection ends
    trigger: Int64  # heap_live at which the next collection starts
    allocated: Int64  # bytes of taken slots, except those taken from spans that are now cached
    runtime_live: Int64  # live bytes of the runtime itself
    runtime_allocated: Int64  # part of runtime_live that `allocated` includes
    runtime_mapped: Int64  # bytes of the runtime's memory that `metadata` does not count
    runtime_growth: Int64  # bytes that the next collection adds to runtime_mapped
    scannable: Int64  # bytes of stacks and globals
    num_gc: Int64  # collections so far
    should_help: Int64  # 1: a span was taken since heap_live was last compared with the trigger
    dead_bytes: Int64  # bytes of the dead objects that are not swept
    dead_objects: Int64  # number of the dead objects that are not swept
    collect: Int64  # events between two forced collections
    next_collection: Int64  # event after which the next forced collection is due; NEVER if none is
    events: Int64  # events so far
    due: Int64  # the event after which a forced collection or the scavenger is due


class Scavenger(Struct):
    """The scavenger (scavenge, scavengeIndex)."""

    enabled: Int64  # 0: nothing is released
    period: Int64  # events between two background steps; 0: all steps right after a collection
    awake: Int64  # 1: there may be more to release
    due: Int64  # the event after which the next step may be taken
    gc_percent_goal: Int64  # bytes of the heap that may stay unreleased; NO_GOAL: no limit
    memory_limit_goal: Int64  # bytes that the whole runtime may keep mapped; NO_GOAL: no limit
    free_hwm: Int64  # highest page freed in this generation; -1 if none (freeHWM)
    gen: Int64  # the generation: collections so far
    huge_pages: Int64  # size of a huge page of the OS, in pages of the heap


BACKGROUND, FORCED = 0, 1
"""Kinds of search for pages to release. Each kind has a row in `Go.scav_search`. BACKGROUND skips
chunks that are dense (nearly full), or were dense when the generation began. FORCED skips no free
pages."""


class SearchAddr(Struct):
    """The start of a search for pages to release (scavengeIndex.searchAddrBg, searchAddrForce)."""

    page: Int64  # page from which the search goes down; -1: exhausted
    marked: Int64  # 1: `page` was raised, and no search has lowered it since


class ScavChunkData(Struct):
    """The scavenger's record of a chunk (scavChunkData)."""

    in_use: Int32  # pages in use, those in the page cache included
    last_in_use: Int32  # value of in_use before the first change in generation `gen`
    gen: Int32  # generation of the last change
    has_free: Int32  # 1: it may have pages to release


class PallocSum(Struct):
    """The free pages of a chunk, or of 8 or 64 chunks (pallocSum).

    `max_` has an underscore because every NumPy record has an attribute `max`.
    """

    start: Int32  # free pages at the start
    max_: Int32  # longest run of free pages
    end: Int32  # free pages at the end


class Go(NamedTuple):
    """The state of a go heap. The words of its bitmaps are int64."""

    code: np.recarray  # one record: addresses of out-of-line kernels, see CODE in `__init__`
    system: Table[System]  # one record
    counters: Table[Counters]  # one record
    mheap: Table[MHeap]  # one record
    gc_controller: Table[GcController]  # one record
    scavenger: Table[Scavenger]  # one record
    scav_search: Table[SearchAddr]  # BACKGROUND and FORCED
    class_index: np.ndarray  # uint8: class by row; `size_classes.row_of` gives the row of a size
    mcentral: Table[MCentral]  # by class; class 0 is for large objects
    span_set: Grid[SpanSet]  # by class and PARTIAL or FULL
    mspan: Table[MSpan]  # by span number
    span_use: Table[SpanUse]  # by span number
    spans: np.ndarray  # int64, by page: span and class of the page (see `spans.entry_of`)
    gc_bits: np.ndarray  # int64, by span: 8 pairs of a word of live bits and a word of taken bits
    tiny_parts: np.ndarray  # uint32, by 16-byte block: starts of live objects (see `objects.WHOLE`)
    palloc_bits: np.ndarray  # int64, by chunk: 8 words of pages in use, 8 of released pages
    summary: Grid[PallocSum]  # by level, then by chunk (level 0), 8 chunks (1) or 64 chunks (2)
    scav_chunk: Table[ScavChunkData]  # by chunk
