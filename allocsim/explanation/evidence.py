"""The data from which an explanation was computed, kept for its pictures."""

from __future__ import annotations

from dataclasses import dataclass

from allocsim.call_sites.table import SiteTable
from allocsim.explanation.heap_map import HeapMap
from allocsim.explanation.lives import Lives
from allocsim.explanation.shares import Shares
from allocsim.explanation.snapshots import Snapshot
from allocsim.explanation.stacks import Stacks, stacks_of


@dataclass(frozen=True)
class Evidence:
    """The heap at the explained moment, and snapshots of the heap throughout the replay."""

    heap: HeapMap
    shares: Shares
    lives: Lives
    table: SiteTable
    """The call sites of the workload."""
    snapshots: list[Snapshot]

    def stacks(self) -> Stacks | None:
        """Return the owners by stack, or None if call sites are not known."""
        if len(self.table) < 2:
            return None
        return stacks_of(self.heap, self.shares, self.lives.site[self.heap.number], self.table)
