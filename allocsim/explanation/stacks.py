"""The owners of the footprint by stack, for flame graphs and profiles.

A stack begins at the first own frame of its call site (see `call_sites.own_frame`). The inner
frames, of the allocator and the language runtime, are left out, so the innermost frame of a stack
is the line that a programmer can change. Call sites with equal stacks are one owner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from allocsim.call_sites.frame import UNKNOWN, Frame
from allocsim.call_sites.table import SiteTable
from allocsim.errors import InputError
from allocsim.explanation.heap_map import HeapMap
from allocsim.explanation.labels import NO_SITES, Labels
from allocsim.explanation.owners import Owner, owners_by, unowned
from allocsim.explanation.shares import Shares
from allocsim.explanation.variants import Match

MEASURES = ("objects", "live", "rounding", "pinned", "owned")
"""The figures of a stack, with the meanings that they have in `Owner`."""

MAX_FRAMES = 1 << 24
"""Maximum number of frames in all `Stacks.rows` together. It bounds the length of an export. Only
damaged or hostile tables exceed it, and these lose the outermost frames of deep stacks."""

MIN_DEPTH = 32
"""Number of frames that a row may always have, even if all rows together exceed MAX_FRAMES."""

NO_OBJECT = Frame("[no live object]")
"""The outermost frame of bytes that no object owns."""


@dataclass(frozen=True)
class Stacks:
    """The stacks of the live objects. Invariant: `owned`, summed over rows, is the footprint."""

    table: SiteTable
    owners: list[Owner]
    """An owner for each stack with live objects. Its name is the number of the stack's innermost
    frame in the tree of `table`."""
    unowned: Mapping[str, int]
    """Bytes that no object owns, by part of the footprint (see `owners.unowned`)."""

    def rows(self) -> Iterator[tuple[list[Frame], dict[str, int]]]:
        """Yield the frames of each stack, innermost first, and its figures by MEASURES.

        Bytes that no object owns have a stack for each part. Such a stack has two frames, the part
        and NO_OBJECT, and all its figures except `owned` are 0.
        """
        depth = max(MAX_FRAMES // max(len(self.owners), 1), MIN_DEPTH)
        for owner in self.owners:
            frames = self.table.frames_from(int(owner.name), depth) or [UNKNOWN]
            yield frames, {measure: getattr(owner, measure) for measure in MEASURES}
        for part, size in self.unowned.items():
            yield [Frame(f"[{part}]"), NO_OBJECT], dict.fromkeys(MEASURES, 0) | {"owned": size}


def stacks_of(heap: HeapMap, shares: Shares, sites: np.ndarray, table: SiteTable) -> Stacks:
    """Return the owners by stack; `sites` has the site number of each live object.

    Raises InputError if the table has no sites.
    """
    if len(table) < 2:
        raise InputError(NO_SITES)
    nodes, group = np.unique(table.own_nodes_of(sites), return_inverse=True)
    names = [str(node) for node in nodes.tolist()]
    labels = Labels("stack", names, group.reshape(-1), _match_nodes(table, nodes))
    return Stacks(table, owners_by(heap, shares, labels), unowned(heap, shares))


def _match_nodes(table: SiteTable, nodes: np.ndarray) -> Callable[[int], Match]:
    """Return the function that returns the Match of a group (see `Labels.match_of`).

    The stack of group i begins at the frame `nodes[i]`.
    """

    def match_of(index: int) -> Match:
        """Match the calls whose stack begins at the frame `nodes[index]`."""

        def match(_calls: Any, _first: int, sites: np.ndarray) -> np.ndarray:
            """Return a flag for each call: whether its stack matches."""
            is_same: np.ndarray = table.own_nodes_of(sites) == nodes[index]
            return is_same

        return match

    return match_of
