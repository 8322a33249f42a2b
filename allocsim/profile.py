"""Snapshots and profiles: the use of every byte of a heap, and the results of a replay.

A snapshot divides the bytes of a heap into eight parts by their use (see PART_MEANINGS). Every
figure is defined in this module. Sizes are in bytes.

Invariant: no part of a snapshot is negative, and the parts sum exactly to `heap`. `Snapshot.of`
raises Corruption if this does not hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from allocsim.core.records import COUNTS, PARTS, Sample
from allocsim.designs import CacheUse, ClassUse
from allocsim.errors import Corruption
from allocsim.html_table import html_table
from allocsim.moments import Moment
from allocsim.text import counted, format_bytes

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
"""The parts of a heap, each with a phrase that explains it."""

METADATA_MEANING = "page map, span records, caches"
FOOTPRINT_MEANING = "heap - released + metadata"
"""Phrases that explain the metadata and the footprint in a table."""


@dataclass(frozen=True)
class Snapshot:
    """A heap at one moment: after `event` events.

    `event` is 0 for a Heap that Python code calls directly, without a replay.
    """

    event: int
    parts: dict[str, int]
    """Bytes of each of the eight parts, by name. They sum to `heap`."""
    heap: int
    """Bytes obtained from the OS for spans."""
    metadata: int
    """Bytes of the page map, the span records and the caches."""
    footprint: int
    """heap - released + metadata."""
    spans: dict[str, int]
    """Numbers of spans, by name: total, in_use, free."""
    counters: dict[str, int]
    """Counts since the heap was created, by name: grows, splits, coalesces, refills."""

    @classmethod
    def of(cls, sample: Sample) -> Snapshot:
        """Return the snapshot of a `core.records.Sample`.

        Raises Corruption if the sample's figures contradict each other (see `require_exact`).
        """
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
        """Bytes requested and not yet freed."""
        return self.parts["live"]

    @property
    def fragmentation(self) -> float:
        """Share of the footprint that is not live: 1 - live / footprint; 0 for an empty heap."""
        return 1 - self.live / self.footprint if self.footprint else 0.0

    @property
    def overhead(self) -> float | None:
        """footprint / live. None if nothing is live."""
        return self.footprint / self.live if self.live else None

    def as_json(self) -> dict[str, Any]:
        """Return the snapshot as a dict, with the keys of the command line's JSON."""
        return {
            "event": self.event,
            "parts": self.parts,
            "heap": self.heap,
            "metadata": self.metadata,
            "footprint": self.footprint,
            "fragmentation": self.fragmentation,
            "overhead": self.overhead,
        }

    def _repr_html_(self) -> str:
        return html_table(
            f"after {counted(self.event, 'event')}", *_table({"size": self}, {}), left=(0, 3)
        )


@dataclass(frozen=True, repr=False)
class Profile:
    """The results of a replay."""

    at_peak: Snapshot
    """The heap when the footprint first reached its maximum."""
    at_end: Snapshot
    peak_live: int
    """Maximum of the live bytes."""
    resident: int
    """Bytes of the heap in physical memory, at the end."""
    events: int
    seconds: float
    """Time in the replay loop."""
    samples: np.ndarray
    """The samples in order of the events: an array of `core.records.SAMPLE`."""
    classes: list[ClassUse]
    """Use of each size class, at the end."""
    caches: list[CacheUse] = field(default_factory=list)
    """The thread caches at the end; empty for a design whose caches have no limit."""
    native_counters: dict[str, int] = field(default_factory=dict)
    """Counters at the end, by the names that the modelled library has for them. Empty if the design
    models no library."""
    part_meanings: Mapping[str, str] = field(default_factory=dict)
    """The design's own phrases, by part, which replace those in PART_MEANINGS. A phrase for the key
    "metadata" replaces METADATA_MEANING."""
    mode: str = ""
    """The effect of the design's parameters on the run, in a sentence; "" for most designs."""
    spans: str = "spans"
    """The design's plural word for what snapshots count as spans, such as "chunks"."""
    moments: tuple[Moment, ...] = ()
    """The moments named in `moments.NAMES`, in that order."""
    at_moment: Snapshot | None = None
    """The heap at the moment that the user chose, or None if the user chose none. With such a
    moment, `classes`, `caches` and `native_counters` are those of the moment, not of the end."""
    stamps: int = 0
    """Number of fill patterns that were checked and found intact."""
    checks: int = 0
    """Number of times that all invariants were checked."""
    no_thread_ends: bool = False
    """Whether the events have several threads, none of which ends."""

    @property
    def ns_per_event(self) -> float:
        """Nanoseconds per event, or 0 if there was no event."""
        return self.seconds * 1e9 / self.events if self.events else 0.0

    @property
    def events_per_second(self) -> float:
        """Events per second, or 0 if no time has passed."""
        return self.events / self.seconds if self.seconds else 0.0

    @property
    def title(self) -> str:
        """The result in one line."""
        return (
            f"{counted(self.events, 'event')}, {self.ns_per_event:.1f} ns/event, "
            f"peak footprint {format_bytes(self.at_peak.footprint)}"
        )

    def __repr__(self) -> str:
        return f"<Profile: {self.title}>"

    def _repr_html_(self) -> str:
        moments = {"at peak": self.at_peak, "at end": self.at_end}
        return html_table(self.title, *_table(moments, self.part_meanings), left=(0, 5))


def require_exact(samples: np.ndarray) -> None:
    """Raise Corruption if a sample's parts or footprint do not add up, or a part is negative."""
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
    for name in PARTS:
        # If objects are smaller than requested, the sum is still right, but `rounding` is negative.
        negative = samples[samples[name] < 0]
        if len(negative):
            raise Corruption(
                f"{name} ({PART_MEANINGS[name]}) is {negative[0][name]} bytes after event "
                f"{negative[0]['event']}; no part of a heap can be negative"
            )


def _table(
    moments: dict[str, Snapshot], meanings: Mapping[str, str]
) -> tuple[list[str], list[list[str]]]:
    """Return titles and rows of a table of snapshots: each part, its share and its meaning."""
    sizes = [{**moment.parts, "metadata": moment.metadata} for moment in moments.values()]
    wholes = [moment.footprint for moment in moments.values()]
    meanings = {**PART_MEANINGS, "metadata": METADATA_MEANING, **meanings}
    rows = [
        _row(name, [size[name] for size in sizes], wholes, meaning)
        for name, meaning in meanings.items()
        if any(size[name] for size in sizes)
    ]
    rows.append(_row("footprint", wholes, wholes, FOOTPRINT_MEANING))
    titles = [title for name in moments for title in (name, "share")]
    return ["", *titles, "meaning"], rows


def _row(name: str, sizes: list[int], wholes: list[int], meaning: str) -> list[str]:
    """Return a row: the size and the share of a part at each moment, and the part's meaning."""
    cells = [name]
    for size, whole in zip(sizes, wholes, strict=True):
        cells += [format_bytes(size), f"{size / whole:.1%}" if whole else "-"]
    return [*cells, meaning]
