"""Garbage collections: when one is due, and what it does (runtime/mgc.go).

A collection frees all dead objects at once, while the program is stopped. Marking takes no time,
because frees have already cleared the live bits of dead objects (see `spans`).
"""

from __future__ import annotations

from allocsim.core.jit import cold, kernel
from allocsim.core.operations import Status
from allocsim.core.out_of_line import out_of_line
from allocsim.designs.go.mgcpacer import NO_LIMIT, commit, last_goal, update_goal
from allocsim.designs.go.mgcscavenge import pace_scavenger, scavenge_quantum
from allocsim.designs.go.mgcsweep import sweep
from allocsim.designs.go.mheap import alloc_pages
from allocsim.designs.go.mpagealloc import page_free
from allocsim.designs.go.objects import set_live
from allocsim.designs.go.records import Go
from allocsim.designs.go.scavenge_index import next_gen
from allocsim.designs.go.size_classes import PAGE_SHIFT, TINY_SIZE

WORK_BUFFER_PAGES = 4
"""Pages of work buffers in a collection, if no object has pointers (workbufAlloc)."""


@out_of_line
def gc_start(heap: Go) -> int:
    """Run a collection (gcStart to gcMarkTermination). Returns a Status."""
    mheap, controller = heap.mheap[0], heap.gc_controller[0]
    triggered = controller.heap_live
    buffers = alloc_pages(heap, WORK_BUFFER_PAGES)
    if buffers >= 0:
        mheap.manual_pages += WORK_BUFFER_PAGES
    block = _mark_tiny_block(heap)
    last = last_goal(heap, triggered)
    for size_class in range(1, len(heap.mcentral)):
        heap.mcentral[size_class].reusable = heap.mcentral[size_class].num_reusable = 0
    controller.dead_bytes = controller.dead_objects = 0
    marked = sweep(heap)
    controller.heap_marked = controller.heap_live = marked + controller.runtime_live
    controller.allocated = marked + controller.runtime_allocated
    controller.runtime_mapped += controller.runtime_growth
    controller.runtime_growth = 0
    if buffers >= 0:
        page_free(heap, buffers, WORK_BUFFER_PAGES)
        mheap.manual_pages -= WORK_BUFFER_PAGES
    _unmark_tiny_block(heap, block)
    commit(heap)
    pace_scavenger(heap, mheap.pages_in_use << PAGE_SHIFT, controller.heap_goal, last)
    next_gen(heap)
    controller.num_gc += 1
    heap.scavenger[0].awake = 1
    controller.due = min(controller.due, max(heap.scavenger[0].due, controller.events))
    return Status.OK


@cold
def run_due(heap: Go) -> None:
    """Collect if a forced collection is due; run the scavenger if it is due."""
    controller, scavenger = heap.gc_controller[0], heap.scavenger[0]
    if controller.events >= controller.next_collection:
        controller.next_collection = controller.events + controller.collect
        gc_start(heap)
    while scavenger.awake and controller.events >= scavenger.due:
        scavenger.awake = scavenge_quantum(heap)
        scavenger.due = controller.events + scavenger.period
    controller.due = controller.next_collection
    if scavenger.awake:
        controller.due = min(controller.due, scavenger.due)


@cold
def gc_start_if_due(heap: Go) -> None:
    """Collect if a span was taken into use and the trigger is reached (gcTrigger.test)."""
    controller = heap.gc_controller[0]
    if controller.should_help:
        controller.should_help = 0
        if controller.memory_limit != NO_LIMIT:
            update_goal(heap)
        if controller.heap_live >= controller.trigger:
            gc_start(heap)


@kernel
def _mark_tiny_block(heap: Go) -> int:
    """Mark the current tiny block (gcMarkTinyAllocs), then forget it (mcache.releaseAll).

    The collection therefore keeps the block even if none of its parts is live. Returns the address
    of a block that had no live part, else 0.
    """
    mheap = heap.mheap[0]
    block = mheap.tiny
    mheap.tiny = mheap.tinyoffset = 0
    if block == 0 or heap.tiny_parts[(block - mheap.start) // TINY_SIZE]:
        return 0
    set_live(heap, block, 1)
    return block


@kernel
def _unmark_tiny_block(heap: Go, block: int) -> None:
    """Undo `_mark_tiny_block`, so that the next collection frees the block; `block` may be 0."""
    if block:
        controller = heap.gc_controller[0]
        set_live(heap, block, 0)
        controller.dead_bytes += TINY_SIZE
        controller.dead_objects += 1
