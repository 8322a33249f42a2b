"""The pacer: decides when the next collection begins (runtime/mgcpacer.go).

The next collection begins when the size of the heap reaches the trigger. When that collection ends,
the heap should have the size of the goal. The goal follows from the bytes that the last collection
has marked and from GOGC. A memory limit lowers the goal to the memory that the limit leaves for
objects. How much is left depends on the memory in use, so the goal is computed whenever the heap is
compared with the trigger.

The program is stopped during a collection, as with GODEBUG=gcstoptheworld=2. Nothing is allocated
meanwhile, so the trigger is the highest that the pacer allows. A real program continues to allocate
during a collection, so it needs more memory than the simulation says.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.out_of_line import out_of_line
from allocsim.designs.go.metadata import mapped_ready
from allocsim.designs.go.mgcscavenge import heap_free
from allocsim.designs.go.records import GcController, Go

NO_HEAP_GOAL = (1 << 63) - 1
"""The goal if GOGC is off (2**64 - 1 in Go)."""

NO_LIMIT = (1 << 63) - 1
"""The value of `memory_limit` if no limit is set (math.MaxInt64)."""

HEADROOM_PERCENT = 3
"""Percentage by which the goal is below the memory that the limit leaves for objects
(memoryLimitHeapGoalHeadroomPercent)."""

MIN_HEADROOM = 1 << 20
"""Minimum number of bytes by which the goal is below the memory that the limit leaves for objects
(memoryLimitMinHeapGoalHeadroom)."""

HEAP_MINIMUM = 4 << 20
"""Smallest goal at GOGC=100, in bytes (defaultHeapMinimum)."""

TRIGGER_LOW, TRIGGER_HIGH, TRIGGER_PARTS = 45, 61, 64
"""The trigger is at least 45/64 of the way from the live heap to the goal. It is at most 61/64 of
the way, or HEAP_MINIMUM below the goal if that is higher."""

MIN_RUNWAY = 64 << 10
"""Minimum bytes by which the goal exceeds the heap size at which a collection was triggered."""


@kernel
def commit(heap: Go) -> None:
    """Set goal and trigger from the bytes marked and GOGC (gcControllerState.commit)."""
    controller = heap.gc_controller[0]
    marked, percent = controller.heap_marked, controller.gc_percent
    controller.gc_percent_heap_goal = NO_HEAP_GOAL
    if percent >= 0:
        growth = (marked + controller.scannable) * percent // 100
        controller.gc_percent_heap_goal = max(marked + growth, HEAP_MINIMUM * percent // 100)
    update_goal(heap)


@out_of_line
def update_goal(heap: Go) -> int:
    """Set goal and trigger; with a memory limit they depend on the memory in use (heapGoal).

    Returns a Status.
    """
    controller = heap.gc_controller[0]
    controller.heap_goal = controller.gc_percent_heap_goal
    if controller.memory_limit != NO_LIMIT:
        controller.heap_goal = min(controller.heap_goal, memory_limit_goal(heap))
    controller.trigger = trigger(controller)
    return Status.OK


@kernel
def memory_limit_goal(heap: Go) -> int:
    """Return the heap size that keeps the runtime below its memory limit (memoryLimitHeapGoal).

    The memory for objects is the limit minus all memory that is mapped for other purposes. Free
    pages count as memory for objects. If the mapped memory exceeds the limit, the excess is
    subtracted too.
    """
    controller, mapped = heap.gc_controller[0], mapped_ready(heap)
    others = mapped - heap_free(heap) - controller.allocated
    left = controller.memory_limit - others - max(mapped - controller.memory_limit, 0)
    if left <= 0:
        return controller.heap_marked
    headroom = max(left // 100 * HEADROOM_PERCENT, MIN_HEADROOM)
    return max(max(left - headroom, headroom), controller.heap_marked)


@kernel
def trigger(controller: GcController) -> int:
    """Return the bytes of `heap_live` at which the next collection begins."""
    marked, goal = controller.heap_marked, controller.heap_goal
    if marked >= goal:
        return goal
    part = (goal - marked) // TRIGGER_PARTS
    highest = max(marked + part * TRIGGER_HIGH, goal - HEAP_MINIMUM)
    return max(highest, marked + part * TRIGGER_LOW)


@kernel
def last_goal(heap: Go, triggered: int) -> int:
    """Return the goal of the cycle that ends, for the scavenger (endCycle).

    Unless the memory limit determines the goal, it is at least MIN_RUNWAY above `triggered`, the
    `heap_live` at which the collection began.
    """
    controller = heap.gc_controller[0]
    update_goal(heap)
    if controller.heap_goal < controller.gc_percent_heap_goal:
        return controller.heap_goal
    return max(controller.heap_goal, triggered + MIN_RUNWAY)
