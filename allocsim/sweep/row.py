"""Rows: the results of a sweep, with the conditions under which they were measured.

A row is the result of one cell, which is one measurement of one subject on one workload.

The names of the fields are keys of the file of a sweep, and so are part of the public format. Sizes
are in bytes. A figure that was not measured is None. In rows that older versions of allocsim wrote,
`reserve`, `timeout` and `warmup` are also None.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, TypeAlias

import msgspec

from allocsim.benchmark.figures import Count

Nanoseconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e18)]

Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1e9)]

Text: TypeAlias = Annotated[str, msgspec.Meta(max_length=4096)]


MAX_FAILURE = 500
"""Maximum number of characters of a failure that a row keeps."""


class Footprint(msgspec.Struct, kw_only=True):
    """The memory of one replay.

    The footprint of a design is exact (heap - released + metadata). That of a library is the growth
    of the process's anonymous RSS. See `benchmark.figures.Memory`.
    """

    peak: Count
    peak_event: Count
    """Number of events up to the peak."""
    live_at_peak: Count
    peak_live: Count
    end: Count
    live_at_end: Count
    mean: Count | None = None
    """Mean over all events; None for a library."""
    kept: Count | None = None
    """Footprint after everything was freed; None for a design."""


class Speed(msgspec.Struct, kw_only=True):
    """CPU times of several replays, in ns/event."""

    ns: Nanoseconds
    """Median of the runs."""
    low: Nanoseconds
    """Lower end of the interquartile range of the runs."""
    high: Nanoseconds
    """Upper end of this range."""
    runs: Count


class Row(msgspec.Struct, kw_only=True):
    """A cell and its result."""

    schema: Literal[1] = 1
    """Version of the format."""
    workload: Text
    trace: Text
    """SHA-256 of the events that were replayed."""
    events: Count
    threads: Count
    """Number of threads in the workload."""
    seed: Count | None = None
    """Random seed of a generated workload; None for a recording."""
    subject: Text
    """A name such as "tcmalloc:release_rate=10"."""
    allocator: Text
    """The subject without its settings."""
    settings: dict[str, Text]
    measure: Literal["memory", "times"]
    touch: Literal["none", "first", "page", "full"]
    replay: Literal["recorded", "one"]
    """Whether the events were replayed on their recorded threads, or on one."""
    limit: Count | None = None
    """Maximum footprint. If None, it is a share of the available memory."""
    reserve: Count | None = None
    """Address space of a design's heap; None for a library."""
    timeout: Seconds | None = None
    """Time after which the cell would have failed."""
    warmup: Count | None = None
    """Untimed replays before the timed ones; None if `measure` is "memory"."""
    memory: Footprint | None = None
    times: Speed | None = None
    failure: Text | None = None
    """The reason why the measurement failed; None if it succeeded."""
    host: Text
    versions: dict[str, Text]
    """Versions of allocsim, Python, Numba and Linux, and of the library if it reports one."""
    began: Text
    """Time at which the cell began: ISO 8601, UTC."""
    seconds: Seconds
    """Time that the cell took, including the start of a process if it needed a new one."""

    @property
    def key(self) -> bytes:
        """The bytes that identify the cell in its file."""
        return cell_key(self.trace, self.subject, self.measure, self.touch, self.replay)


def cell_key(*parts: str) -> bytes:
    """Return 16 bytes that identify a cell: trace, subject, measure, touch and replay."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).digest()
