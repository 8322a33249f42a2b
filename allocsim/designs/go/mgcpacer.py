"""The pacer: when the next collection begins (runtime/mgcpacer.go).

The world is stopped while Go collects, as with GODEBUG=gcstoptheworld=2, so nothing is allocated
meanwhile, and the trigger is the highest that the pacer allows. A real program continues during a
collection and needs more memory than this.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.designs.go.records import GcController, Go

NO_HEAP_GOAL = (1 << 63) - 1
"""The goal without a pacer (2**64 - 1 in Go)."""

HEAP_MINIMUM = 4 << 20
"""Smallest goal at GOGC=100, in bytes (defaultHeapMinimum)."""

TRIGGER_LOW, TRIGGER_HIGH, TRIGGER_PARTS = 45, 61, 64
"""The trigger is between 45/64 and 61/64 of the way from the live heap to the goal."""

MIN_RUNWAY = 64 << 10
"""Bytes by which the goal exceeds the heap size at which a collection was triggered."""


@kernel
def commit(heap: Go) -> None:
    """Set goal and trigger from the bytes marked (gcControllerState.commit, trigger)."""
    controller = heap.gc_controller[0]
    if controller.gc_percent < 0:
        controller.heap_goal = controller.trigger = NO_HEAP_GOAL
        return
    marked, percent = controller.heap_marked, controller.gc_percent
    growth = (marked + controller.scannable) * percent // 100
    controller.heap_goal = max(marked + growth, HEAP_MINIMUM * percent // 100)
    controller.trigger = trigger(controller)


@kernel
def trigger(controller: GcController) -> int:
    """Return the bytes of `heap_live` at which the next collection begins."""
    marked, goal = controller.heap_marked, controller.heap_goal
    if marked >= goal:
        return goal
    part = (goal - marked) // TRIGGER_PARTS
    return max(marked + part * TRIGGER_HIGH, goal - HEAP_MINIMUM, marked + part * TRIGGER_LOW)


@kernel
def last_goal(controller: GcController, triggered: int) -> int:
    """Return the goal of the cycle that ends, for the scavenger (endCycle).

    The goal is above the `heap_live` at which the collection was triggered.
    """
    return max(controller.heap_goal, triggered + MIN_RUNWAY)
