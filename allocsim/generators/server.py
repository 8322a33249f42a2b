"""The workload `server`: populations of objects with different lifetimes.

Each step picks a population by weight, then a slot of that population. As in the workload `random`,
it frees the object in the slot, or allocates one there. Many slots and a small weight give long
lifetimes; few slots and a large weight give short ones. Long-lived and short-lived objects share
the heap, so one long-lived object can keep a span in use whose other objects have been freed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import numpy as np

from allocsim.errors import InputError
from allocsim.events import CHUNK, MAX_OBJECTS, no_events
from allocsim.generators import Count, Generator, Objects, Threads, pick, random_bits
from allocsim.generators.random import toggle
from allocsim.generators.sizes import SizeLaw


class Population(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Objects with the same lifetime and distribution of sizes."""

    weight: Annotated[int, msgspec.Meta(ge=1, le=10**6)]
    """Share of the steps that this population gets, relative to the other populations' weights."""
    slots: Objects
    size: SizeLaw


class Server(Generator, frozen=True, kw_only=True, tag_field="kind", tag="server"):
    """Several populations in one heap."""

    ops: Count = 1 << 20
    """Number of steps; each step is one event."""
    threads: Threads = 1
    population: Annotated[tuple[Population, ...], msgspec.Meta(min_length=1, max_length=64)]

    def __post_init__(self) -> None:
        if sum(population.slots for population in self.population) > MAX_OBJECTS:
            raise InputError(f"the populations have more than {MAX_OBJECTS} slots in all")

    def length(self) -> int:
        """Return `ops`: each step is one event."""
        return self.ops

    def events(self) -> Iterator[Any]:
        """Yield full chunks, then a last one that may be shorter."""
        bits = np.random.PCG64(self.seed)
        filled = np.zeros(sum(population.slots for population in self.population), np.uint8)
        for start in range(0, self.ops, CHUNK):
            count = min(CHUNK, self.ops - start)
            chunk = no_events(count)
            population_bits, slot_bits, size_bits = (random_bits(bits, count) for _ in range(3))
            if self.threads > 1:
                # The high half of a word picks the thread, the low half picks the population.
                chunk.thread[:] = pick(population_bits >> np.uint64(32), self.threads)
            slots, sizes = self._drawn(population_bits, slot_bits, size_bits)
            toggle(filled, slots, sizes, chunk)
            yield chunk

    def _drawn(self, population_bits: Any, slot_bits: Any, size_bits: Any) -> tuple[Any, Any]:
        """Return the slots and sizes of the steps; each step takes one word of each argument."""
        bounds = np.cumsum([population.weight for population in self.population])
        chosen = np.searchsorted(bounds, pick(population_bits, int(bounds[-1])), side="right")
        slots, sizes = np.empty(len(chosen), np.int64), np.empty(len(chosen), np.int64)
        first = 0
        for number, population in enumerate(self.population):
            is_chosen = chosen == number
            slots[is_chosen] = first + pick(slot_bits[is_chosen], population.slots)
            sizes[is_chosen] = population.size.draw(size_bits[is_chosen])
            first += population.slots
        return slots, sizes
