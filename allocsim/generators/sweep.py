"""The workload `sweep`: every size class in turn.

For each size from `first` to `last`, the workload allocates some objects and frees them, so every
size class gets a span. The footprint at the end is the cost of having used each class once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from allocsim.errors import InputError
from allocsim.events import CHUNK, Op, no_events
from allocsim.generators import Count, Generator, Objects
from allocsim.quantities import Size


class Sweep(Generator, frozen=True, kw_only=True, tag_field="kind", tag="sweep"):
    """Every size in turn."""

    first: Size = Size(8)
    last: Size = Size(33024)
    step: Size = Size(8)
    objects: Objects = 4
    """Number of objects of each size, all live at the same time."""
    rounds: Count = 1

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last or self.step < 1:
            raise InputError(
                f"first = {self.first}, last = {self.last}, step = {self.step}: expected first <= "
                "last and a step of at least 1"
            )
        if self.objects > 1 << 24:
            raise InputError(f"objects = {self.objects}: expected 1 to {1 << 24}")

    def length(self) -> int:
        """Return the number of events: a malloc and a free per object, size and round."""
        return 2 * self.objects * self.rounds * ((self.last - self.first) // self.step + 1)

    def events(self) -> Iterator[Any]:
        """Yield chunks, each with all events of one or more sizes."""
        batch = no_events(2 * self.objects)
        batch.object[: self.objects] = np.arange(self.objects)
        batch.object[self.objects :] = np.arange(self.objects)
        batch.op[self.objects :] = Op.FREE
        sizes_per_chunk = max(CHUNK // len(batch), 1) * self.step
        for _ in range(self.rounds):
            for start in range(self.first, self.last + 1, sizes_per_chunk):
                sizes = np.arange(start, min(start + sizes_per_chunk, self.last + 1), self.step)
                chunk = np.tile(batch, len(sizes)).view(np.recarray)
                requests = np.repeat(sizes, len(batch))
                chunk.request[:] = np.where(chunk.op == Op.FREE, 0, requests)
                yield chunk
