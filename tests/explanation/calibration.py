"""Calibration: does the memory that a group owns predict what is saved without the group?

A group has the objects of one size; large objects are grouped by powers of two. The saving is the
footprint of the workload minus the footprint of the same workload without the group's objects.
"""

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
"""Groups that own less than footprint / MIN_SHARE bytes are left out."""

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
    """The groups that own the most bytes of a footprint, in descending order.

    The footprint and the figures of the groups are in bytes.
    """

    footprint: int
    groups: list[tuple[str, int, int]]
    """(name, owned bytes, saving)."""
    sentences: list[str]
    """The sentences with which `explain` interprets the figures."""

    @property
    def correlation(self) -> float:
        """The correlation of owned bytes and savings; nan for fewer than two groups."""
        if len(self.groups) < 2:
            return float("nan")
        owned, saved = np.array([group[1:] for group in self.groups], float).T
        return float(np.corrcoef(owned, saved)[0, 1]) if owned.std() and saved.std() else 0.0

    def line(self) -> str:
        """Return the figures as one line."""
        figures = " ".join(f"{owned >> 10}/{saved >> 10}" for _, owned, saved in self.groups)
        return (
            f"{format_bytes(self.footprint)}: {figures} KiB owned/saved, r {self.correlation:.2f}"
        )

    def unsaid(self) -> list[str]:
        """Return the groups that need a sentence but are named in none.

        A group needs one if its owned bytes and its saving differ by more than a factor of 2, and
        one of the two is at least a tenth of the footprint.
        """
        parted = [
            name
            for name, owned, saved in self.groups
            if max(owned, saved) * 10 >= self.footprint and not owned <= 2 * saved <= 4 * owned
        ]
        return [name for name in parted if not any(name in text for text in self.sentences)]


def calibrate(workload: str, subject: str, at: str) -> Calibration:
    """Measure the saving of each of the largest groups, at the moment `at` of a workload."""

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
