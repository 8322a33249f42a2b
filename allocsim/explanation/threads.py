"""The threads of a workload, and the threads on which its events are replayed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Threads:
    """The threads of a workload, and how an explanation replays them."""

    count: int
    """Number of threads in the workload."""
    recorded: bool
    """Whether each event is replayed on the thread that it names. On a library, this is an OS
    thread; on a design, it is a simulated one with its own thread cache. Otherwise, all events are
    replayed on one thread."""
    ends: str | None = None
    """For a library: whether the ends of the threads are "recorded" or "inferred" (see
    `EventFile.ends`). None for a design."""

    def sentence(self) -> str:
        """Return a sentence about the threads of the replay; "" for a workload with one thread."""
        if self.count < 2:
            return ""
        if self.recorded:
            return f"Replayed on the {self.count:,} recorded threads."
        return f"The {self.count:,} threads of the workload were replayed on one."


ONE_THREAD = Threads(1, recorded=False)
"""The threads of a workload with a single thread."""
