"""The workload `phases`: a program whose needs change.

Each phase allocates a number of objects, then frees a share of all that are live: the oldest, the
newest, or random ones. What one phase leaves behind is what the next has to live with, so the
footprint after a phase says how well an allocator gives memory of one size to another.
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

MOST_LIVE = 1 << 27
"""Objects that the phases may have live at once: the generator keeps a list of them."""


class Phase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One phase: allocate, then free."""

    allocate: Annotated[int, msgspec.Meta(ge=0, le=MOST_LIVE)] = 0
    """Objects to allocate."""
    size: SizeLaw | None = None
    """Their sizes; needed when there are any."""
    free: Share = 0.0
    """The share of all live objects to free then."""
    order: Literal["random", "oldest", "newest"] = "random"
    """Which of them."""


class Phases(Generator, frozen=True, kw_only=True, tag_field="kind", tag="phases"):
    """Phases, one after the other, all of them `rounds` times."""

    rounds: Count = 1
    phase: Annotated[tuple[Phase, ...], msgspec.Meta(min_length=1, max_length=1000)]

    def __post_init__(self) -> None:
        for number, phase in enumerate(self.phase, start=1):
            if phase.allocate and phase.size is None:
                raise InputError(f"phase {number} allocates objects: it needs a size")

    def events(self) -> Iterator[Any]:
        """Chunks, at least one for each phase that does anything."""
        bits = np.random.PCG64(self.seed)
        live, spare, fresh = np.zeros(0, np.uint32), np.zeros(0, np.uint32), 0
        for _ in range(self.rounds):
            for phase in self.phase:
                reused = min(phase.allocate, len(spare))
                created = phase.allocate - reused
                numbers = np.concatenate(
                    [
                        spare[len(spare) - reused :],
                        np.arange(fresh, fresh + created, dtype=np.uint32),
                    ]
                )
                spare, fresh = spare[: len(spare) - reused], fresh + created
                yield from self._allocated(phase, numbers, bits)
                live = np.concatenate([live, numbers])
                if len(live) > MOST_LIVE:
                    raise InputError(f"more than {MOST_LIVE} objects would be live at once")
                gone = _chosen(phase, len(live), bits)
                yield from _freed(live[gone])
                spare = np.concatenate([spare, live[gone]])
                live = np.delete(live, gone)

    def _allocated(self, phase: Phase, numbers: Any, bits: np.random.PCG64) -> Iterator[Any]:
        """The allocations of a phase."""
        for start in range(0, len(numbers), CHUNK):
            part = numbers[start : start + CHUNK]
            chunk = no_events(len(part))
            chunk.object[:] = part
            if phase.size is not None:
                chunk.request[:] = phase.size.draw(random_bits(bits, len(part)))
            yield chunk


def _chosen(phase: Phase, live: int, bits: np.random.PCG64) -> Any:
    """The positions, in order of age, of the objects that a phase frees."""
    count = round(phase.free * live)
    if phase.order == "oldest":
        return np.arange(count)
    if phase.order == "newest":
        return np.arange(live - 1, live - 1 - count, -1)
    return np.argsort(random_bits(bits, live), kind="stable")[:count]


def _freed(numbers: Any) -> Iterator[Any]:
    """The frees of a phase."""
    for start in range(0, len(numbers), CHUNK):
        part = numbers[start : start + CHUNK]
        chunk = no_events(len(part))
        chunk.object[:] = part
        chunk.op[:] = Op.FREE
        yield chunk
