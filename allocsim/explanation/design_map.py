"""Map a design's heap: replay up to a moment, then list the heap's units (spans or pages)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from allocsim.core import operations
from allocsim.core.jit import kernel
from allocsim.core.records import HeapState
from allocsim.errors import InputError
from allocsim.events import Op, Trace, first_events
from allocsim.explanation.heap_map import HeapMap, map_from
from allocsim.explanation.radix_sort import sort_by_address
from allocsim.heap import Heap
from allocsim.player import Options, Player


def map_of(heap: Heap, player: Player) -> HeapMap:
    """Return the map of the heap after the events that `player` has replayed.

    Raises InputError if the design does not list its units (Design.units). Raises Corruption if the
    units do not sum to the footprint.
    """
    design, state = heap.design, heap.state
    if design.units is None:
        raise InputError(f"the design '{design.name}' does not list its units (Design.units)")
    units, objects = design.units(state), player.objects
    number = np.flatnonzero(objects.address)
    # Sort first, so that the other columns are created in their final order. Sorting them too would
    # copy each once more, and most of the time is spent writing to new memory.
    address, number = sort_by_address(objects.address[number], number)
    usable = np.zeros(len(number), np.int64)
    fill_usable(state, address, usable)
    heap_map = map_from(
        (number, address, objects.request[number], usable),
        (units.address, units.length, units.part),
        (*units.names,),
        {**units.rest, "metadata": int(state.system[0].metadata)},
        (player.events, int(operations.footprint(state))),
    )
    return replace(heap_map, break_range=units.break_range)


def play_until(heap: Heap, trace: Trace, event: int | None, options: Options) -> Player:
    """Replay the first `event` events of a trace, or all events for None; return the player."""
    player = Player(heap, options, event)
    with trace:
        for chunk in (trace if event is None else first_events(trace, event)).chunks:
            player.replay_chunk(chunk)
    return player


def stops(player: Player, trace: Trace, events: Sequence[int]) -> Iterator[int]:
    """Replay a trace, pause after each of the event counts in `events`, and yield that count.

    `events` must be in ascending order.
    """
    ahead = iter(events)
    goal = next(ahead, None)
    with trace:
        for chunk in trace.chunks:
            ends = np.cumsum(chunk.op <= Op.FREE) + player.events
            begin = 0
            while goal is not None and len(ends) and goal <= ends[-1]:
                end = int(np.searchsorted(ends, goal)) + 1
                player.replay_chunk(chunk[begin:end])
                yield goal
                begin, goal = end, next(ahead, None)
            if goal is None:
                return
            player.replay_chunk(chunk[begin:])


@kernel
def fill_usable(heap: HeapState, address: np.ndarray, usable: np.ndarray) -> None:
    """Set `usable` to the allocated size of the object at each address."""
    for index in range(len(address)):
        usable[index] = operations.usable_size(heap, address[index])
