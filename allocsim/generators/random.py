"""The workload `random`: the seed's testrandom.

Each step picks one slot: if it holds an object, the object is freed, otherwise one of random size
is put there. Half of the slots are full on average. With several threads each step runs on a
random one, so half of the objects are freed by a thread other than the one that allocated them
where there are two.
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
    """Random sizes into random slots."""

    ops: Count = 1 << 20
    """Steps, each one event."""
    slots: Objects = 1000
    threads: Threads = 1
    size: SizeLaw = LogUniform()

    def length(self) -> int:
        """One event a step."""
        return self.ops

    def events(self) -> Iterator[Any]:
        """Chunks of steps."""
        bits, filled = np.random.PCG64(self.seed), np.zeros(self.slots, np.uint8)
        for start in range(0, self.ops, CHUNK):
            count = min(CHUNK, self.ops - start)
            chunk = no_events(count)
            where, what = random_bits(bits, count), random_bits(bits, count)
            if self.threads > 1:
                chunk.thread[:] = pick(where >> np.uint64(32), self.threads)
            toggle(filled, pick(where, self.slots), self.size.draw(what), chunk)
            yield chunk


@kernel
def toggle(filled: np.ndarray, slots: np.ndarray, sizes: np.ndarray, events: np.recarray) -> None:
    """Step i is on slots[i]: free what it holds, or allocate sizes[i] bytes; into events[i].

    `filled` (uint8 by slot) is kept up to date. Threads are left as they are.
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
