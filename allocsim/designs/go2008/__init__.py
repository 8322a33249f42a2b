"""The design `go2008`: Go's first malloc, 17 November 2008 (usr/rsc/mem in Go's repository).

It is a tcmalloc in miniature: closed-form size classes and unbounded thread caches, with no central
free lists, no coalescing and no page returned to the OS. The design leaves out two bugs of this
malloc: a refill lost all objects but one, and trivalloc, which allocates metadata, never
decremented its count of remaining bytes.

Data structures (`records`):

  span          a run of 4 KiB pages: it holds objects of one class or a large object, or is free
  node          the page map, a radix tree from page numbers to spans
  page_list     the free spans, by length
  size_class    counts of each of the 168 classes
  free_list     the free objects of each thread and class

malloc of less than 32 KiB:

  1. The size is rounded up to its class by shifts, without a table.
  2. The newest object is popped from the thread's list of the class, without a search and without
     a lock. Nearly every call ends here.
  3. If the list is empty, a new span is carved into objects (`central_grab`): 1,024 objects, or as
     many as fit in 1 MiB. Up to 1,024 calls share the cost of this refill. The links between the
     new objects are not written yet, so the refill touches none of their pages. Only a measurement
     of resident bytes would notice the missing links, so `thread_cache.write_links` writes them
     before such a measurement.
  4. The span comes from the page heap: the shortest free span that is long enough, split if it is
     longer (`page_heap`). Each length below 256 pages has a list of its own, so the search is a
     short walk, and only refills and large objects need it.
  5. If no free span is long enough, the heap grows by 1 MiB or more (`core.system`), and the new
     pages are inserted in the page map. All spans that are later split off share that cost.

To free a small object, free finds its span in the page map, clears the object, and pushes it on
the list of the calling thread. Another thread may have allocated the object. The object remains in
its class permanently. So the heap grows if a program changes the sizes that it requests, or if
one thread allocates the objects that another thread frees.

A large object has a span of its own, so malloc starts at step 4. free clears the pages and puts the
span on the list for its length, but does not merge it with free neighbours. Each stack segment also
has a span of its own, in a state that free does not accept.

Invariant: malloc returns objects that are all zeros, because free clears them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from allocsim.core import defaults, operations
from allocsim.core.memory import Reservation, table
from allocsim.core.records import Counters, System
from allocsim.core.size_classes import SizeClasses
from allocsim.core.system import answer_operations, count_metadata
from allocsim.designs import Design
from allocsim.designs.go2008 import check_caches, check_page_heap, malloc, thread_cache
from allocsim.designs.go2008.account import account, class_uses
from allocsim.designs.go2008.central_grab import chunk_size
from allocsim.designs.go2008.large_objects import allocate_stack, free_stack
from allocsim.designs.go2008.page_heap import LARGE_LIST
from allocsim.designs.go2008.pagemap import LEVEL_SIZE, NODE_BYTES, PAGE, ROOT, max_nodes
from allocsim.designs.go2008.records import (
    FreeList,
    Go2008,
    PageList,
    SizeClass,
    Span,
    Static,
)
from allocsim.designs.go2008.size_classes import CLASS_COUNT, class_to_size, size_to_class
from allocsim.designs.go2008.units import units

SIZE_CLASSES = SizeClasses(
    class_of=size_to_class,
    object_size=class_to_size,
    count=CLASS_COUNT,
    chunk_of=chunk_size,
    page_size=PAGE,
)


def create(memory: Reservation, threads: int, parameters: Mapping[str, int]) -> Go2008:
    """Create an empty heap in `memory`, for at most `threads` threads; there are no parameters."""
    heap = Go2008(
        system=table(System, 1),
        counters=table(Counters, 1),
        static=table(Static, 1),
        node=table(np.int64, max_nodes(memory.length), LEVEL_SIZE),
        span=table(Span, memory.length // PAGE + 2),
        page_list=table(PageList, LARGE_LIST + 1),
        size_class=table(SizeClass, CLASS_COUNT),
        free_list=table(FreeList, threads, CLASS_COUNT),
    )
    heap.system[0].next = memory.address
    heap.system[0].limit = memory.address + memory.length
    count_metadata(heap, NODE_BYTES)  # the root of the page map
    heap.static[0].nodes = ROOT + 1
    heap.size_class.object_size = SIZE_CLASSES.sizes()
    return heap


KERNELS: dict[Callable[..., Any], Callable[..., Any]] = {
    operations.malloc: malloc.malloc,
    operations.calloc: malloc.calloc,
    operations.memalign: malloc.memalign,
    operations.realloc: defaults.realloc,
    operations.free: malloc.free,
    operations.inspect: malloc.inspect,
    operations.usable_size: malloc.usable_size,
    operations.allocate_stack: allocate_stack,
    operations.free_stack: free_stack,
    operations.thread_begin: thread_cache.thread_begin,
    operations.thread_done: defaults.thread_done,  # Go's malloc ignores the end of a thread
    operations.release: defaults.release,  # Go's malloc returns no page to the operating system
    operations.flush_deferred_writes: thread_cache.write_links,
    operations.prefetch: defaults.prefetch,
    operations.measure: account,
}
"""The kernel for each operation, except freeze, refusal and footprint: `answer_operations` adds the
kernels for these."""

answer_operations(Go2008, KERNELS)


def size_classes(parameters: Mapping[str, int]) -> SizeClasses:
    """Return the only class table of this design."""
    return SIZE_CLASSES


DESIGN = Design(
    name="go2008",
    state=Go2008,
    create=create,
    size_classes=size_classes,
    fixed_classes="a formula maps sizes to classes",
    classes=class_uses,
    invariants=(*check_page_heap.INVARIANTS, *check_caches.INVARIANTS),
    zeroed=True,
    units=units,
)
