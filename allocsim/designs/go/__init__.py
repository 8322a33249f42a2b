"""The design `go`: the heap of Go 1.27, for one P and objects without pointers.

A thread needs a P to run Go code, and each P has a cache of spans. The folder mirrors Go's runtime:
the docstring of a module names the runtime's file in parentheses, and the docstring of a kernel
names the runtime's function.

malloc of a small object, up to 32,760 bytes:

1. `size_classes` rounds the size up to one of 67 classes. Requests below 16 bytes share blocks of
   16 bytes (`malloc.malloc_tiny`).
2. `mcache.next_free_fast` takes the next free slot of the class's cached span. Most calls end here.
3. If that span has no more free slots, `mcache.refill` replaces it by another span that has a
   free slot (`mcentral`), or by a new span.
4. A new span's pages come from the page cache, a block of 64 pages, or from the page allocator
   (`mpagealloc`), which uses summaries to find the lowest free run. If no run is long enough, the
   heap grows by chunks of 4 MiB.
5. If the cached span was replaced and the heap has reached the trigger (`mgcpacer`), a collection
   runs (`mgc`): every span is swept (`mgcsweep`) and the scavenger releases pages
   (`mgcscavenge`). The trigger is the size of the heap at which the next collection is due.

A large object has a span of its own. Go has no free; the module `malloc` says what a free means
here.

The same events give the same results as in Go 1.27.3: the address of every object relative to the
start of the heap, the page bitmaps, the page cache, the pacer's numbers and the number of
collections. scripts/verify-go checks this. A memory limit (GOMEMLIMIT) also covers the memory that
the runtime has mapped for itself. verify-go reads the size of that memory from the real process;
other commands use a constant (`metadata.RUNTIME_MAPPED`). The mode `direct`, in which a free takes
effect at once, has no counterpart in Go: it is derived from the rules of sweeping. Go's concurrent
collector lets a program allocate during a collection. A collection takes no time here, so a real
heap is larger than this one; see `mgcpacer`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from allocsim.core import defaults, operations
from allocsim.core.jit import plain
from allocsim.core.memory import Reservation
from allocsim.core.out_of_line import code_record, link
from allocsim.core.size_classes import SizeClasses
from allocsim.core.system import answer_operations
from allocsim.designs import Design
from allocsim.designs.go import (
    malloc,
    mcache,
    mgc,
    mgcpacer,
    mgcscavenge,
    mheap,
    mstats,
    objects,
    pallocsum,
    spans,
    stack,
)
from allocsim.designs.go.check_classes import INVARIANTS
from allocsim.designs.go.class_rules import RULES, classes_of
from allocsim.designs.go.records import Go
from allocsim.designs.go.size_classes import size_classes
from allocsim.designs.go.state import PARAMETERS, mode, new_state, placement
from allocsim.designs.go.units import units

KERNELS: dict[Callable[..., Any], Callable[..., Any]] = {
    operations.malloc: malloc.malloc,
    operations.calloc: malloc.calloc,
    operations.memalign: malloc.memalign,
    operations.realloc: malloc.realloc,
    operations.free: malloc.free,
    operations.inspect: objects.inspect,
    operations.usable_size: objects.usable_size,
    operations.allocate_stack: stack.allocate_stack,
    operations.free_stack: stack.free_stack,
    operations.thread_begin: defaults.thread_begin,  # one P serves all threads
    operations.thread_done: defaults.thread_done,
    operations.release: mgcscavenge.release,
    operations.flush_deferred_writes: defaults.flush_deferred_writes,  # no write is deferred
    operations.prefetch: spans.prefetch_object,
    operations.measure: mstats.fill_sample,
}
"""The kernel for each operation. `answer_operations` adds freeze, refusal and footprint."""

answer_operations(Go, KERNELS)

CODE = code_record(
    pallocsum.page_update,
    mgcscavenge.scavenge_pages,
    mheap.alloc_pages,
    mheap.free_span_pages,
    mcache.next_free,
    mgcpacer.update_goal,
    mgc.gc_start,
)
"""The out-of-line kernels, which are called by their address (see `core.out_of_line`). Each is
compiled once, not into every caller."""


def create(memory: Reservation, threads: int, parameters: Mapping[str, int]) -> Go:
    """Return an empty heap over `memory`; all threads share one P."""
    heap = new_state(memory, threads, parameters, CODE)
    link(heap)
    plain(mgcpacer.commit)(heap)  # sets the first heap goal
    return heap


def table_of(parameters: Mapping[str, int]) -> SizeClasses:
    """Return the size classes under these parameters."""
    return size_classes(classes_of(parameters), bool(parameters["greenteagc"]))


DESIGN = Design(
    name="go",
    state=Go,
    create=create,
    size_classes=table_of,
    class_rules=RULES,
    classes=mstats.classes,
    invariants=INVARIANTS,
    parameters=PARAMETERS,
    native_counters=mstats.native_counters,
    placement=placement,
    parts=mstats.PARTS,
    mode=mode,
    units=units,
)
