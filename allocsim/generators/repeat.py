"""The workload `repeat`, modelled on testrepeat, a test program of Go's first malloc.

Each round allocates and frees one object of every size. After the first round the heap is frozen,
so it obtains no more memory. The run fails unless the allocator reuses the memory that it has.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import numpy as np

from allocsim.errors import InputError
from allocsim.events import CHUNK, Op, no_events
from allocsim.generators import Count, Generator
from allocsim.quantities import Size

POWERS = 23
"""Number of sizes in a round by default: 1, 2, 4 ... 2**22 bytes."""


class Repeat(Generator, frozen=True, kw_only=True, tag_field="kind", tag="repeat"):
    """The same sizes in every round."""

    rounds: Count = 1024
    """Number of rounds; Go's testrepeat makes 65,536."""
    sizes: Annotated[tuple[Size, ...], msgspec.Meta(min_length=1, max_length=10**6)] = tuple(
        Size(1 << power) for power in range(POWERS)
    )
    """Sizes of the objects of a round, in bytes."""

    def __post_init__(self) -> None:
        if any(size < 0 for size in self.sizes):
            raise InputError(f"sizes = {min(self.sizes)}: expected 0 or more")

    def length(self) -> int:
        """Return the number of events: a malloc and a free per size and round."""
        return 2 * len(self.sizes) * self.rounds

    def events(self) -> Iterator[Any]:
        """Yield the first round, the event that freezes the heap, then chunks of whole rounds."""
        once = no_events(2 * len(self.sizes))
        once.request[0::2] = self.sizes
        once.op[1::2] = Op.FREE
        yield once
        freeze = no_events(1)
        freeze.op[:] = Op.FREEZE
        yield freeze
        rounds_per_chunk = max(CHUNK // len(once), 1)
        for start in range(1, self.rounds, rounds_per_chunk):
            yield np.tile(once, min(rounds_per_chunk, self.rounds - start)).view(np.recarray)
