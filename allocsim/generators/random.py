"""The workload `random`: that of testrandom, a test program of Go's first malloc.

Each step picks a slot at random. If the slot holds an object, the step frees it; otherwise the step
allocates an object of random size there. On average, half of the slots are full. With several
threads, each step runs on a random thread. With two threads, for example, half of the objects are
freed by the thread that did not allocate them.

The workload `server` takes the same steps, but divides the slots into populations. Each population
has its own share of the steps and its own distribution of sizes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from allocsim.core.jit import kernel
from allocsim.events import CHUNK, Op, no_events
from allocsim.generators import Count, Generator, Objects, Threads, pick, random_bits
from allocsim.generators.sizes import LogUniform, SizeLaw


class Random(Generator, frozen=True, kw_only=True, tag_field="kind", tag="random"):
    """Objects of random sizes in random slots."""

    ops: Count = 1 << 20
    """Number of steps; each step is one event."""
    slots: Objects = 1000
    threads: Threads = 1
    size: SizeLaw = LogUniform()

    def length(self) -> int:
        """Return `ops`: each step is one event."""
        return self.ops

    def events(self) -> Iterator[Any]:
        """Yield full chunks, then a last one that may be shorter."""
        bits, filled = np.random.PCG64(self.seed), np.zeros(self.slots, np.uint8)
        for start in range(0, self.ops, CHUNK):
            count = min(CHUNK, self.ops - start)
            chunk = no_events(count)
            slot_bits, size_bits = random_bits(bits, count), random_bits(bits, count)
            if self.threads > 1:
                # The high half of a word picks the thread, the low half picks the slot.
                chunk.thread[:] = pick(slot_bits >> np.uint64(32), self.threads)
            toggle(filled, pick(slot_bits, self.slots), self.size.draw(size_bits), chunk)
            yield chunk


@kernel
def toggle(filled: np.ndarray, slots: np.ndarray, sizes: np.ndarray, events: np.recarray) -> None:
    """Fill `events`: step i frees the object in slots[i], or allocates sizes[i] bytes there.

    The id of an object is the number of its slot. `filled` (a uint8 for each slot) is updated. The
    threads of the events are left as they are.
    """
    for step in range(len(slots)):
        slot = slots[step]
        event = events[step]
        event.object = slot
        if filled[slot]:
            event.op = Op.FREE
            event.request = 0
        else:
            event.op = Op.MALLOC
            event.request = sizes[step]
        filled[slot] = 1 - filled[slot]
