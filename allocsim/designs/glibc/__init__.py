"""The design `glibc`: malloc of glibc 2.36, as in Debian 12 on x86-64.

The folder mirrors the library's source. The docstring of a module names the library's file or
section in parentheses, and the docstring of a kernel names the library's function.

malloc:

1. `tcache` pops the newest chunk of the size from the thread's cache. Most calls end here.
2. If the cache has no such chunk, `int_malloc` searches the thread's arena: the fastbin and the
   small bin of the size, the unsorted list of freed chunks, the larger bins, and the free end of
   the arena (top).
3. If nothing fits, `sysmalloc` gives a large request its own mapping. For any other request, the
   arena grows. The main arena moves the break; another arena grows its newest heap (`heaps`), or
   gets a new heap.

free() pushes the chunk on the cache of the calling thread while there is room. Otherwise `int_free`
puts a small chunk into a fastbin. Any other chunk is merged with its free neighbours (boundary
tags, see `chunks`), and goes to the unsorted list or becomes part of top. A large top is trimmed.

After every call, every object has the same address as in the library, relative to the start of the
heap, and mallinfo2 and malloc_info have the same values; scripts/verify-glibc checks both. Not
modelled: a break that other code moves, huge pages, memory tagging, lock contention, and the
addresses that Linux chooses for mappings. Unlike the library's heap, this heap can be frozen:
it then obtains no more memory, but free still succeeds. `release` is a call of malloc_trim(0).

Other versions differ. Thread caches exist since 2.26. In 2.37 and 2.38, a realloc that fits returns
the object unchanged. Since 2.41, calloc uses the thread cache, and free puts small chunks directly
into their bin. 2.42 also caches large chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from allocsim.core import defaults, operations
from allocsim.core.memory import Reservation
from allocsim.core.out_of_line import code_record, link
from allocsim.core.system import answer_operations
from allocsim.designs import Design
from allocsim.designs.glibc import (
    address_space,
    arenas,
    int_free,
    int_malloc,
    malloc,
    malloc_trim,
    pointers,
    sysmalloc,
    threads,
)
from allocsim.designs.glibc.check_arenas import INVARIANTS
from allocsim.designs.glibc.records import Glibc
from allocsim.designs.glibc.state import PARAMETERS, new_state, placement, start
from allocsim.designs.glibc.stats import measure, native_counters
from allocsim.designs.glibc.units import units

KERNELS: dict[Callable[..., Any], Callable[..., Any]] = {
    operations.malloc: malloc.malloc,
    operations.calloc: malloc.calloc,
    operations.memalign: malloc.memalign,
    operations.realloc: malloc.realloc,
    operations.free: malloc.free,
    operations.inspect: pointers.inspect,
    operations.usable_size: pointers.allocated_size,
    operations.allocate_stack: malloc.allocate_stack,
    operations.free_stack: malloc.free_stack,
    operations.thread_begin: threads.thread_begin,
    operations.thread_done: threads.thread_done,
    operations.release: malloc_trim.release,
    operations.flush_deferred_writes: defaults.flush_deferred_writes,  # no write is deferred
    operations.prefetch: defaults.prefetch,
    operations.measure: measure,
}
"""The kernel for each operation, except freeze, refusal and footprint: `answer_operations` adds the
kernels for these."""

answer_operations(Glibc, KERNELS)

CODE = code_record(
    address_space.mmap,
    address_space.free_range,
    int_free.int_free,
    int_free.malloc_consolidate,
    int_free.systrim,
    int_free.trim_large,
    sysmalloc.sysmalloc,
    int_malloc.int_malloc,
    arenas.arena_get2,
    arenas.malloc_retry,
    arenas.tcache_init,
    malloc.free_uncached,
    malloc.libc_calloc,
    malloc.libc_realloc,
    malloc.mid_memalign,
    threads.end_thread,
)
"""The out-of-line kernels, which are called by their address (see `core.out_of_line`). Each is
compiled once, not into every caller."""


def create(memory: Reservation, threads: int, parameters: Mapping[str, int]) -> Glibc:
    """Return an empty heap over `memory` for at most `threads` threads."""
    heap = new_state(memory, threads, parameters, CODE)
    link(heap)
    return heap


INSTEAD_OF_CLASSES = (
    "The size of a chunk is the request plus 8 bytes, rounded up to a multiple of 16, and at least "
    "32: 24 bytes fit in a chunk of 32, 40 in one of 48, and so on. A thread's cache has a list "
    "for each of the 64 chunk sizes up to 1,040. An arena has a fastbin for each of the 7 sizes up "
    "to 128. Other free chunks are merged and kept in bins. Each of the 62 small bins has one "
    "size, from 32 to 1,008. Each of the 63 large bins has a range of sizes. From 1,024 on there "
    "are 33 ranges of 64 bytes; from 3,136 on, 16 wider ones; from 12,288 on, 7 of 4,096 bytes; "
    "and from 40,960 on, 7 still wider ones. The last range starts at 524,288 and has no end."
)
"""The text that `sizeclass-check` prints. `bins.bin_index` defines the ranges of large bins."""

DESIGN = Design(
    name="glibc",
    state=Glibc,
    create=create,
    invariants=INVARIANTS,
    parameters=PARAMETERS,
    native_counters=native_counters,
    placement=placement,
    start=start,
    instead_of_classes=INSTEAD_OF_CLASSES,
    spans="chunks",
    parts={
        "rounding": "headers, rounding, libc's own blocks, ends of mappings",
        "tail": "headers of arenas and heaps, fence posts",
        "thread_cache": "free chunks in thread caches (tcache)",
        "transfer": "free chunks in fastbins",
        "central": "free chunks in bins",
        "free_spans": "free ends of arenas (top)",
        "metadata": "none outside the heap",
    },
    units=units,
    unit="page",
)
