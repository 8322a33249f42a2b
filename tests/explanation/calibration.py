"""Calibration: does the share of a group predict the saving of a workload without the group?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocsim.benchmark.comparison import Conditions
from allocsim.events import Trace
from allocsim.explanation.labels import label
from allocsim.explanation.lives import read_lives
from allocsim.explanation.owners import owners_by, parts_of
from allocsim.explanation.sentences import sentences
from allocsim.explanation.shares import share_out
from allocsim.explanation.subject import subject_called
from allocsim.explanation.variants import variant
from allocsim.explanation.what_if import WhatIf
from allocsim.moments import event_at
from allocsim.text import format_bytes
from allocsim.workloads import open_workload

MIN_SHARE = 40
"""A group counts if it owns at least footprint / MIN_SHARE bytes."""

MAX_GROUPS = 6

AGGRESSIVE = "tcmalloc:aggressive_decommit=1"

PAIRS = (
    *(("sqlite-orders", on, "live-peak") for on in ("glibc", "lib:glibc", "lib:jemalloc")),
    *(("sqlite-orders", on, "live-peak") for on in (AGGRESSIVE, "lib:mimalloc")),
    *(("fragmentation-trap", on, "worst") for on in ("glibc", "lib:jemalloc", AGGRESSIVE)),
    *(("phase-change", on, "live-peak") for on in ("glibc", "tcmalloc", AGGRESSIVE)),
    *(("server", on, "live-peak") for on in ("glibc", "go", AGGRESSIVE)),
)
"""Workloads, subjects and moments."""


class Calibration(NamedTuple):
    """The groups of a pair by size, the largest owner first. Sizes are in bytes."""

    footprint: int
    groups: list[tuple[str, int, int]]
    """(name, owned bytes, saving of the replay without the group)."""
    sentences: list[str]

    @property
    def correlation(self) -> float:
        """The correlation of owned bytes and savings; nan for fewer than two groups."""
        if len(self.groups) < 2:
            return float("nan")
        owned, saved = np.array([group[1:] for group in self.groups], float).T
        return float(np.corrcoef(owned, saved)[0, 1]) if owned.std() and saved.std() else 0.0

    def line(self) -> str:
        """Return the pair's figures as a line."""
        figures = " ".join(f"{owned >> 10}/{saved >> 10}" for _, owned, saved in self.groups)
        return (
            f"{format_bytes(self.footprint)}: {figures} KiB owned/saved, r {self.correlation:.2f}"
        )

    def unsaid(self) -> list[str]:
        """Return the groups whose share and saving differ by a factor of 2 without a sentence."""
        parted = [
            name
            for name, owned, saved in self.groups
            if max(owned, saved) * 10 >= self.footprint and not owned <= 2 * saved <= 4 * owned
        ]
        return [name for name in parted if not any(name in text for text in self.sentences)]


def calibrate(workload: str, subject: str, at: str) -> Calibration:
    """Replay a workload without each of its large groups by size."""

    def opened() -> Trace:
        """Open the workload."""
        return open_workload(workload)

    where = subject_called(subject, opened, Conditions(timeout=600))
    event = event_at(where.moments(), at)
    heap = where.map_at(event)
    with opened() as trace:
        lives = read_lives(trace, event, int(heap.number.max(initial=-1)) + 1)
    shares, labels = share_out(heap), label("size", heap, lives)
    owners = owners_by(heap, shares, labels)
    removed = []
    for owner in owners[:MAX_GROUPS]:
        if owner.owned * MIN_SHARE >= heap.footprint:
            match = labels.match_of(labels.names.index(owner.name))
            left = where.footprint_of(variant(opened(), event, match, kept=False))
            removed.append(WhatIf("never", owner.name, "", left, left - heap.footprint, "replayed"))
    owned = {owner.name: owner.owned for owner in owners}
    groups = [(each.group, owned[each.group], -each.change) for each in removed]
    said = sentences(heap.footprint, parts_of(heap, shares), owners, removed)
    return Calibration(heap.footprint, groups, said)
