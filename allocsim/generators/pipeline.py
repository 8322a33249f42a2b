"""The workload `pipeline`: one thread allocates objects and another frees them, in the same order.

A producer puts new objects into a queue; a consumer takes the oldest object and frees it. The
length of the queue is a random walk between 0 and `depth`. The footprint shows whether the
allocator returns memory to the producer after the consumer has freed it. If the freed memory
does not return, the producer always needs new memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from allocsim.core.jit import kernel
from allocsim.events import CHUNK, Op, no_events
from allocsim.generators import Count, Generator, Objects, random_bits
from allocsim.generators.sizes import SizeLaw, Uniform
from allocsim.quantities import Size

PRODUCER, CONSUMER = 0, 1
"""Thread numbers."""


class Pipeline(Generator, frozen=True, kw_only=True, tag_field="kind", tag="pipeline"):
    """Producer and consumer."""

    ops: Count = 1 << 20
    """Number of events, allocations and frees together."""
    depth: Objects = 1000
    """Maximum length of the queue."""
    size: SizeLaw = Uniform(min=Size(16), max=Size(512))

    def length(self) -> int:
        """Return `ops`."""
        return self.ops

    def events(self) -> Iterator[Any]:
        """Yield full chunks, then a last one that may be shorter."""
        bits, queue = np.random.PCG64(self.seed), np.zeros(2, np.int64)
        for start in range(0, self.ops, CHUNK):
            count = min(CHUNK, self.ops - start)
            chunk = no_events(count)
            coins = (random_bits(bits, count) >> np.uint64(63)).astype(np.int64)
            _fill(queue, self.depth, coins, self.size.draw(random_bits(bits, count)), chunk)
            yield chunk


@kernel
def _fill(
    queue: np.ndarray, depth: int, coins: np.ndarray, sizes: np.ndarray, events: np.recarray
) -> None:
    """Fill `events`. Each of the `coins` (0 or 1) picks the consumer (0) or the producer (1).

    If the queue is empty, the producer acts in any case; if the queue is full, the consumer.
    queue[0] counts the objects put in so far, and queue[1] the objects taken out. The id of an
    object is its position in the sequence of all objects, modulo `depth`.
    """
    for step in range(len(coins)):
        event = events[step]
        length = queue[0] - queue[1]
        if length == 0 or (coins[step] and length < depth):
            event.object = queue[0] % depth
            event.thread = PRODUCER
            event.op = Op.MALLOC
            event.request = sizes[step]
            queue[0] += 1
        else:
            event.object = queue[1] % depth
            event.thread = CONSUMER
            event.op = Op.FREE
            queue[1] += 1
