"""The design `tcmalloc`: gperftools 2.10 as Debian 12 builds it (libtcmalloc-minimal4).

The folder mirrors the library's source. The docstring of a module names the library's file in
parentheses, and the docstring of a kernel names the library's function.

malloc of a small object, up to 256 KiB:

1. `size_classes` rounds the size up to one of 85 classes.
2. `thread_cache` pops the newest object of the thread's free list. Most calls end here.
3. If the list is empty, `central_free_list` refills it with as many objects as the list may hold,
   but at most a batch. If a whole batch is needed, and the transfer cache has one of the class,
   that batch is used. Otherwise the objects come from the class's spans.
4. If no span of the class has a free object, `page_release.new_run` allocates a span, which is
   carved into objects. The span is the best fit among the free spans (`page_heap`). If none fits,
   the heap grows.

free finds the class in the page map and pushes the object on the list of the calling thread. If a
list or a cache becomes too long, batches move back to the central free list. A span that gets its
last object back is freed. Freed spans coalesce, and from time to time a free span is released to
the operating system. A large object has a span of its own.

After every call, each counter that the library reports has the same value here, to the byte;
scripts/verify-tcmalloc checks this. Unlike the library's heap, this heap can be frozen: it then
obtains no more memory, not even for metadata. Calls that need pages or records then fail, but free
still succeeds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from allocsim.core import defaults, operations
from allocsim.core.memory import Reservation
from allocsim.core.out_of_line import code_record, link
from allocsim.core.system import answer_operations
from allocsim.designs import Design
from allocsim.designs.tcmalloc import (
    central_free_list,
    large_objects,
    malloc,
    page_release,
    thread_cache,
)
from allocsim.designs.tcmalloc.check_caches import INVARIANTS
from allocsim.designs.tcmalloc.class_rules import RULES
from allocsim.designs.tcmalloc.records import Tcmalloc
from allocsim.designs.tcmalloc.state import (
    PARAMETERS,
    new_state,
    placement,
    size_classes,
    start,
    start_up,
)
from allocsim.designs.tcmalloc.stats import caches, classes, fill_sample, native_counters
from allocsim.designs.tcmalloc.units import units

KERNELS: dict[Callable[..., Any], Callable[..., Any]] = {
    operations.malloc: malloc.malloc,
    operations.calloc: malloc.calloc,
    operations.memalign: malloc.memalign,
    operations.realloc: malloc.realloc,
    operations.free: malloc.free,
    operations.inspect: malloc.object_status,
    operations.usable_size: malloc.allocated_size,
    operations.allocate_stack: malloc.allocate_stack,
    operations.free_stack: malloc.free_stack,
    operations.thread_begin: thread_cache.thread_begin,
    operations.thread_done: thread_cache.thread_done,
    operations.release: page_release.release_to_system,
    operations.flush_deferred_writes: defaults.flush_deferred_writes,  # no write is deferred
    operations.prefetch: defaults.prefetch,
    operations.measure: fill_sample,
}
"""The kernel for each operation. `answer_operations` adds freeze, refusal and footprint."""

answer_operations(Tcmalloc, KERNELS)

CODE = code_record(
    page_release.new_run,
    page_release.delete_run,
    page_release.release_at_least_n_pages,
    central_free_list.populate,
    central_free_list.release_list_to_spans,
    central_free_list.insert_range,
    thread_cache.fetch_from_central_cache,
    thread_cache.list_too_long,
    thread_cache.scavenge,
    thread_cache.delete_cache,
    large_objects.allocate_pages,
    large_objects.memalign_pages,
    large_objects.allocate_stack_pages,
    large_objects.free_pages,
    large_objects.free_stack_pages,
    malloc.do_realloc,
)
"""The out-of-line kernels, which are called by their address (see `core.out_of_line`). Each is
compiled once, not into every caller."""


def create(memory: Reservation, threads: int, parameters: Mapping[str, int]) -> Tcmalloc:
    """Return a heap over `memory` for at most `threads` threads, in its startup state."""
    heap = new_state(memory, threads, parameters, CODE)
    link(heap)
    start_up(heap, parameters)
    return heap


DESIGN = Design(
    name="tcmalloc",
    state=Tcmalloc,
    create=create,
    size_classes=size_classes,
    class_rules=RULES,
    classes=classes,
    invariants=INVARIANTS,
    zeroed=False,
    parameters=PARAMETERS,
    caches=caches,
    native_counters=native_counters,
    placement=placement,
    units=units,
    start=start,
)
