"""The workload `repeat`: the seed's testrepeat.

Each round allocates and frees every size once. After the first round the heap is frozen: an
allocator that reuses its memory never asks for more, and one that does fails the run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import numpy as np

from allocsim.errors import InputError
from allocsim.events import CHUNK, Op, no_events
from allocsim.generators import Count, Generator
from allocsim.text import Size

POWERS = 23
"""Sizes of a round unless told otherwise: 1, 2, 4 ... 2**22 bytes."""


class Repeat(Generator, frozen=True, kw_only=True, tag_field="kind", tag="repeat"):
    """The same sizes again and again."""

    rounds: Count = 1024
    """Rounds; the seed made 65,536."""
    sizes: Annotated[tuple[Size, ...], msgspec.Meta(min_length=1, max_length=10**6)] = tuple(
        Size(1 << power) for power in range(POWERS)
    )
    """Bytes of the objects of a round."""

    def __post_init__(self) -> None:
        if any(size < 0 for size in self.sizes):
            raise InputError(f"sizes = {min(self.sizes)}: expected 0 or more")

    def length(self) -> int:
        """A malloc and a free for each size of each round."""
        return 2 * len(self.sizes) * self.rounds

    def events(self) -> Iterator[Any]:
        """The first round, the note that freezes the heap, then chunks of whole rounds."""
        once = no_events(2 * len(self.sizes))
        once.request[0::2] = self.sizes
        once.op[1::2] = Op.FREE
        yield once
        freeze = no_events(1)
        freeze.op[:] = Op.FREEZE
        yield freeze
        together = max(CHUNK // len(once), 1)
        for start in range(1, self.rounds, together):
            yield np.tile(once, min(together, self.rounds - start)).view(np.recarray)
