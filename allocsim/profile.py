"""What the figures mean: from a measurement of a heap to where its bytes are.

Above the records, below `Heap` and the driver, which measure, and the reports, which show. Here
stands the one definition of each figure; all are bytes unless they say otherwise. Its one rule:
the parts of a snapshot sum exactly to its heap, or there is no snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from allocsim.core.records import COUNTS, PARTS, Record
from allocsim.designs import CacheUse, ClassUse
from allocsim.errors import Corruption

PART_MEANINGS = {
    "live": "requested, not yet freed",
    "rounding": "allocated minus requested size",
    "tail": "span end too small for an object",
    "thread_cache": "free objects in thread caches",
    "transfer": "free objects in the transfer cache",
    "central": "free objects in central free lists",
    "free_spans": "free pages in the page heap",
    "released": "free pages released to the OS",
}
"""Each part of a heap, in a phrase."""


@dataclass(frozen=True)
class Snapshot:
    """A heap at one moment: after `event` events."""

    event: int
    parts: dict[str, int]
    """The eight parts, by name: they sum to `heap`."""
    heap: int
    """Obtained from the operating system for spans."""
    metadata: int
    """The allocator's own: page map, span records, caches."""
    footprint: int
    """heap - released + metadata."""
    spans: dict[str, int]
    """Counts: total, in_use, free."""
    counters: dict[str, int]
    """Counts since the start: grows, splits, coalesces, refills."""

    @classmethod
    def of(cls, sample: Record) -> Snapshot:
        """The snapshot of a SAMPLE; Corruption if its parts do not sum to its heap."""
        parts = {name: int(sample[name]) for name in PARTS}
        snapshot = cls(
            event=int(sample.event),
            parts=parts,
            heap=int(sample.heap),
            metadata=int(sample.metadata),
            footprint=int(sample.footprint),
            spans={name: int(sample["spans_" + name]) for name in ("total", "in_use", "free")},
            counters={name: int(sample[name]) for name in COUNTS},
        )
        require_exact(np.array([sample.tolist()], dtype=sample.dtype))
        return snapshot

    @property
    def live(self) -> int:
        """Bytes that the program asked for and has not freed."""
        return self.parts["live"]

    @property
    def fragmentation(self) -> float:
        """1 - live / footprint: the share of the footprint that serves nobody. 0 when empty."""
        return 1 - self.live / self.footprint if self.footprint else 0.0

    @property
    def overhead(self) -> float | None:
        """footprint / live; None when nothing is live."""
        return self.footprint / self.live if self.live else None

    def as_json(self) -> dict[str, Any]:
        """The snapshot with the names and types that --json promises."""
        return {
            "event": self.event,
            "parts": self.parts,
            "heap": self.heap,
            "metadata": self.metadata,
            "footprint": self.footprint,
            "fragmentation": self.fragmentation,
            "overhead": self.overhead,
        }


@dataclass(frozen=True)
class Profile:
    """All that a run has measured."""

    at_peak: Snapshot
    """When the footprint first reached its peak."""
    at_end: Snapshot
    peak_live: int
    """The most bytes that were live at once."""
    resident: int
    """Bytes of the heap that the kernel keeps in memory, at the end."""
    events: int
    seconds: float
    """Time spent in the replay kernel."""
    samples: np.ndarray
    """SAMPLE rows in order of their events."""
    classes: list[ClassUse]
    """Use of each size class, at the end."""
    caches: list[CacheUse] = field(default_factory=list)
    """The thread caches, at the end, where they have a bound."""
    native_counters: dict[str, int] = field(default_factory=dict)
    """The real library's statistics under its own names, at the end; empty for other designs."""
    part_meanings: Mapping[str, str] = field(default_factory=dict)
    """Meanings of parts, and of "metadata", in the design's own words where it has any."""
    stamps: int = 0
    """Stamps of objects that were checked, and were whole."""
    checks: int = 0
    """How often every invariant was proved."""

    @property
    def ns_per_event(self) -> float:
        """Nanoseconds an event; 0 when there was none."""
        return self.seconds * 1e9 / self.events if self.events else 0.0

    @property
    def events_per_second(self) -> float:
        """Events a second; 0 when no time has passed."""
        return self.events / self.seconds if self.seconds else 0.0


def require_exact(samples: np.ndarray) -> None:
    """Corruption if the parts of any sample do not sum to its heap, or its footprint is not so."""
    total = np.sum([samples[name] for name in PARTS], axis=0)
    footprint = samples["heap"] - samples["released"] + samples["metadata"]
    wrong = np.flatnonzero((total != samples["heap"]) | (footprint != samples["footprint"]))
    if len(wrong):
        first = samples[wrong[0]]
        when = f"after event {first['event']}"
        if total[wrong[0]] == first["heap"]:
            raise Corruption(
                f"the footprint of {first['footprint']} bytes {when} is not heap {first['heap']} "
                f"- released {first['released']} + metadata {first['metadata']}"
            )
        parts = ", ".join(f"{name} {first[name]}" for name in PARTS)
        raise Corruption(
            f"the parts do not sum to the heap of {first['heap']} bytes {when}: {parts}"
        )
