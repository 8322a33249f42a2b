"""Synthetic workloads, each generated from a few parameters.

Each kind of workload has a module with a subclass of `Generator`, whose fields are the parameters.
The parameters are checked when they are read from a job file or from options. The same parameters
and seed give the same events on every machine: `random_bits` is stable across versions of NumPy,
and sizes and choices are computed from the random words in integer arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import numpy as np

from allocsim.events import MAX_OBJECTS, MAX_THREADS, Trace

Count = Annotated[int, msgspec.Meta(ge=1, le=10**15)]
Objects = Annotated[int, msgspec.Meta(ge=1, le=MAX_OBJECTS)]
Threads = Annotated[int, msgspec.Meta(ge=1, le=MAX_THREADS)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Generator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base class. A kind of workload adds its parameters and implements `events` and `length`."""

    seed: Annotated[int, msgspec.Meta(ge=0, le=2**62)] = 1

    def events(self) -> Iterator[Any]:
        """Yield the events in chunks: arrays of EVENT."""
        raise NotImplementedError

    def length(self) -> int | None:
        """Return the number of events, or None if it is not known in advance."""
        return None

    def trace(self, name: str) -> Trace:
        """Return the trace that these parameters describe; `reopen` generates the events again."""
        # msgspec calls enc_hook for types that it does not support: here Size, a subclass of int.
        description: dict[str, Any] = msgspec.to_builtins(self, enc_hook=int)
        trace = Trace(name, self.events(), description, self.length(), self.seed)
        trace.reopen = lambda: self.trace(name)
        return trace


def random_bits(source: np.random.PCG64, count: int) -> Any:
    """Return `count` words of 64 random bits; NumPy guarantees that the stream never changes."""
    return source.random_raw(count)


def pick(bits: Any, count: int) -> Any:
    """Map the low 32 bits of each word to a number below `count`; `count` is at most 2**32."""
    return ((bits & np.uint64(0xFFFFFFFF)) * np.uint64(count) >> np.uint64(32)).astype(np.int64)
