"""Synthetic workloads: one file for each kind, each a record of parameters that makes a Trace.

Above `events`, beside the trace readers. Parameters are checked when a record is made from a job
file or from options. Its one rule: the same parameters and seed give the same events on every
machine; bits come from `random_bits`, and sizes and choices from integer arithmetic on them.
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
    """What all kinds share; each adds its parameters, `events` and `length`."""

    seed: Annotated[int, msgspec.Meta(ge=0, le=2**62)] = 1

    def events(self) -> Iterator[Any]:
        """The events in chunks: arrays of EVENT."""
        raise NotImplementedError

    def length(self) -> int | None:
        """How many events there will be, if that is known beforehand."""
        return None

    def trace(self, name: str) -> Trace:
        """The stream of events under these parameters."""
        description: dict[str, Any] = msgspec.to_builtins(self, enc_hook=int)
        return Trace(name, self.events(), description, self.length(), self.seed)


def random_bits(source: np.random.PCG64, count: int) -> Any:
    """`count` words of 64 random bits: NumPy keeps this stream the same for good."""
    return source.random_raw(count)


def pick(bits: Any, count: int) -> Any:
    """A number from 0 to count - 1 for each word, from its low 32 bits; count up to 2**32."""
    return ((bits & np.uint64(0xFFFFFFFF)) * np.uint64(count) >> np.uint64(32)).astype(np.int64)
