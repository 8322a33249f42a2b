"""The workload `phases`: a program whose allocations change over time.

Each phase allocates objects, then frees a share of all live ones: the oldest, the newest, or random
ones. The footprint shows how well an allocator reuses memory of one size for another size: the heap
grows unless a phase gets memory that earlier phases freed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from allocsim.errors import InputError
from allocsim.events import CHUNK, Op, no_events
from allocsim.generators import Count, Generator, Share, random_bits
from allocsim.generators.sizes import SizeLaw

MAX_LIVE = 1 << 27
"""Maximum number of live objects; the generator keeps an array of them."""


class Phase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One phase: allocate, then free."""

    allocate: Annotated[int, msgspec.Meta(ge=0, le=MAX_LIVE)] = 0
    """Objects to allocate."""
    size: SizeLaw | None = None
    """Distribution of the sizes of these objects; required unless `allocate` is 0."""
    free: Share = 0.0
    """Share of all live objects to free after the allocations."""
    order: Literal["random", "oldest", "newest"] = "random"
    """The order in which live objects are freed."""


class Phases(Generator, frozen=True, kw_only=True, tag_field="kind", tag="phases"):
    """A sequence of phases, repeated `rounds` times."""

    rounds: Count = 1
    phase: Annotated[tuple[Phase, ...], msgspec.Meta(min_length=1, max_length=1000)]

    def __post_init__(self) -> None:
        for number, phase in enumerate(self.phase, start=1):
            if phase.allocate and phase.size is None:
                raise InputError(f"phase {number} allocates objects, but it has no size")

    def events(self) -> Iterator[Any]:
        """Yield chunks, each with events of one phase only."""
        bits = np.random.PCG64(self.seed)
        live, spare, fresh = np.zeros(0, np.uint32), np.zeros(0, np.uint32), 0
        for _ in range(self.rounds):
            for phase in self.phase:
                reused = min(phase.allocate, len(spare))
                created = phase.allocate - reused
                # Ids of freed objects are reused first, which keeps the highest id low.
                numbers = np.concatenate(
                    [
                        spare[len(spare) - reused :],
                        np.arange(fresh, fresh + created, dtype=np.uint32),
                    ]
                )
                spare, fresh = spare[: len(spare) - reused], fresh + created
                yield from self._allocations(phase, numbers, bits)
                live = np.concatenate([live, numbers])
                if len(live) > MAX_LIVE:
                    raise InputError(f"more than {MAX_LIVE} objects would be live at once")
                freed = _chosen(phase, len(live), bits)
                yield from _frees(live[freed])
                spare = np.concatenate([spare, live[freed]])
                live = np.delete(live, freed)

    def _allocations(self, phase: Phase, numbers: Any, bits: np.random.PCG64) -> Iterator[Any]:
        """Yield the allocations of a phase."""
        for start in range(0, len(numbers), CHUNK):
            part = numbers[start : start + CHUNK]
            chunk = no_events(len(part))
            chunk.object[:] = part
            if phase.size is not None:
                chunk.request[:] = phase.size.draw(random_bits(bits, len(part)))
            yield chunk


def _chosen(phase: Phase, live: int, bits: np.random.PCG64) -> Any:
    """Return the positions of the objects that a phase frees; position 0 is the oldest object."""
    count = round(phase.free * live)
    if phase.order == "oldest":
        return np.arange(count)
    if phase.order == "newest":
        return np.arange(live - 1, live - 1 - count, -1)
    # A random permutation. The sort is stable, so that equal random numbers cause no differences
    # between machines.
    return np.argsort(random_bits(bits, live), kind="stable")[:count]


def _frees(numbers: Any) -> Iterator[Any]:
    """Yield the frees of a phase."""
    for start in range(0, len(numbers), CHUNK):
        part = numbers[start : start + CHUNK]
        chunk = no_events(len(part))
        chunk.object[:] = part
        chunk.op[:] = Op.FREE
        yield chunk
