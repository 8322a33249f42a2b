"""Capabilities of recorders: the aspects of a program that they see.

A trace stores the capabilities of its recorder, because its events cannot show what was not
recorded. If threads were not recorded, for example, the trace looks like that of a program with a
single thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Literal

Extent = Literal["yes", "partly", "no", "unknown"]
"""The extent to which a recorder sees an aspect of a program. "partly": only some calls, or parts
of calls."""

_RANK: Mapping[str, int] = {"no": 0, "partly": 1, "unknown": 1, "yes": 2}


@dataclass(frozen=True)
class Capabilities:
    """The extent to which a recorder sees each aspect of a program.

    In a file of an older version of allocsim, every aspect is "unknown".
    """

    threads: Extent = "unknown"
    """Whether the recorder sees which thread makes a call."""
    thread_ends: Extent = "unknown"
    """Whether the recorder sees when a thread ends."""
    reallocs: Extent = "unknown"
    """Whether a realloc is recorded as one call, not as a free and a malloc."""
    aligned_calls: Extent = "unknown"
    """Whether calls of aligned_alloc, memalign, posix_memalign, valloc, pvalloc and C++'s aligned
    operator new are recorded, with their alignments."""

    @property
    def is_known(self) -> bool:
        """Whether anything is known about the recorder."""
        return self != Capabilities()

    def as_dict(self) -> dict[str, str]:
        """Return the extent of each aspect, for JSON."""
        return asdict(self)

    def covers(self, other: Capabilities) -> bool:
        """Return whether this recorder sees every aspect at least as well as the other one."""
        return all(
            _RANK[getattr(self, field.name)] >= _RANK[getattr(other, field.name)]
            for field in fields(self)
        )

    @property
    def lacking(self) -> str:
        """The aspects not seen or partly seen, as in "thread ends; aligned calls partly"."""
        missing = ", ".join(self._with("no"))
        return "; ".join(
            filter(None, [missing, *(f"{aspect} partly" for aspect in self._with("partly"))])
        )

    def _with(self, extent: str) -> list[str]:
        """Return the aspects that have this extent."""
        names = [field.name for field in fields(self) if getattr(self, field.name) == extent]
        return [name.replace("_", " ") for name in names]

    @property
    def text(self) -> str:
        """All aspects with their extents, as in "threads yes, thread ends no"."""
        return ", ".join(
            f"{field.name.replace('_', ' ')} {getattr(self, field.name)}" for field in fields(self)
        )


OF_FORMATS: Mapping[str, Capabilities] = {
    "csapp": Capabilities("no", "no", "yes", "no"),
    "heaptrack": Capabilities("no", "no", "no", "partly"),
    "lttng": Capabilities("yes", "no", "yes", "partly"),
    "ltrace": Capabilities("yes", "no", "yes", "partly"),
    "malloc-bench": Capabilities("no", "no", "yes", "yes"),
    "memray": Capabilities("yes", "no", "no", "partly"),
    "mtrace": Capabilities("no", "no", "yes", "partly"),
    "valgrind": Capabilities("no", "no", "yes", "yes"),
}
"""Capabilities of the tools that write recordings in these formats. For any other format nothing is
known about the recorder, because several different tools write that format."""
