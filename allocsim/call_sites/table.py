"""Table of call sites: the stack of each site number, stored as a tree of nodes.

A node has a frame and the node of its caller, in 8 bytes. Stacks with the same callers share the
nodes of these callers, so a table of millions of stacks stays small. Node 0 is the end of every
stack and has no frame. Site 0 is the unknown site.

An *own* frame is one whose code is neither an allocator's nor a language runtime's (see
`own_frame`).

Invariant: the node of a caller has a lower number than the nodes of the functions that it calls.
Readers enforce this, so the table of a damaged file has no loop either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from allocsim.call_sites.frame import UNKNOWN, Frame
from allocsim.call_sites.own_frame import Rank, rank_of

MAX_NODES = 1 << 24
"""Maximum number of nodes. Together they take 128 MiB. A recording of 420,000 calls of a Python
program had 87,000 nodes."""

MAX_FRAMES = 1 << 20
"""Maximum number of frames."""

MAX_DEPTH = 1 << 10
"""Maximum number of frames of a stack that `SiteTable.stack` returns."""


class SiteGroups(NamedTuple):
    """Site numbers grouped by the function and line of their first own frame (see `own_frame`)."""

    of_site: Any
    """The group of each site number. Group 0 holds the unknown sites."""
    frames: list[Frame]
    """The frame of each group; UNKNOWN for group 0."""


def _entry_0() -> Any:
    """Return an array with a single entry, for node 0 or site 0."""
    return np.zeros(1, np.uint32)


@dataclass(frozen=True, eq=False)
class SiteTable:
    """A stack for each site number. The arrays are uint32, and frame 0 is UNKNOWN."""

    frames: list[Frame] = field(default_factory=lambda: [UNKNOWN])
    parents: Any = field(default_factory=_entry_0)
    """By node: the node of the caller, always a lower number, or 0 if no caller is known."""
    frame_of: Any = field(default_factory=_entry_0)
    """By node: the number of its frame."""
    node_of: Any = field(default_factory=_entry_0)
    """By site number: the node of the innermost frame, whose function allocates."""

    def __len__(self) -> int:
        """Return the number of sites, including site 0."""
        return len(self.node_of)

    def stack(self, site: int) -> list[Frame]:
        """Return the frames of a site, the innermost first, or [] if the site is unknown.

        At most MAX_DEPTH frames are returned.
        """
        return self.frames_from(self._node(site))

    def frames_from(self, node: int, depth: int = MAX_DEPTH) -> list[Frame]:
        """Return the frames of a node and of its callers, as `stack` does; [] for node 0.

        At most `depth` and at most MAX_DEPTH frames are returned.
        """
        frames: list[Frame] = []
        while node and len(frames) < min(depth, MAX_DEPTH):
            frames.append(self.frames[self.frame_of[node]])
            node = int(self.parents[node])
        return frames

    def own_stack(self, site: int) -> list[Frame]:
        """Return the frames of a site from its first own frame on, or [] if the site is unknown.

        If the stack has no own frame, the result starts at the first frame of the runtime. If the
        stack has no such frame either, the result is the same as that of `stack`.
        """
        frames = self.stack(site)
        for min_rank in (Rank.OWN, Rank.RUNTIME):
            for position, frame in enumerate(frames):
                if rank_of(frame) >= min_rank:
                    return frames[position:]
        return frames

    def describe(self, site: int, callers: int = 0) -> str:
        """Return the first own frame of a site as text, as in "remember_session guilty.cpp:11".

        Up to `callers` callers of that frame follow, each after " < ".
        """
        frames = self.own_stack(site)[: callers + 1]
        return " < ".join(frame.label for frame in frames) or UNKNOWN.label

    @cached_property
    def groups(self) -> SiteGroups:
        """The sites grouped by function, file, line and module of their first own frame."""
        chosen = self.frame_of[self.own_nodes]
        used, of_site = np.unique(np.append(chosen, 0), return_inverse=True)
        numbers: dict[Frame, int] = {}  # a file may contain a frame twice
        order = [numbers.setdefault(self.frames[frame], len(numbers)) for frame in used.tolist()]
        return SiteGroups(np.array(order, np.uint32)[of_site.reshape(-1)[:-1]], [*numbers])

    def groups_of(self, sites: Any) -> Any:
        """Return the group of each site number; 0 for a number that the table does not have."""
        return self.groups.of_site[self._known(sites)]

    def own_nodes_of(self, sites: Any) -> Any:
        """Return the node of each site's first own frame, or 0 if it is unknown."""
        return self.own_nodes[self._known(sites)]

    def _known(self, sites: Any) -> Any:
        """Return the site numbers, with 0 for each that the table does not have."""
        return np.where(sites < len(self), sites, 0)

    @cached_property
    def own_nodes(self) -> Any:
        """The node of each site's first own frame, by site number."""
        ranks = np.array([rank_of(frame) for frame in self.frames], np.int8)[self.frame_of]
        chosen = self.node_of
        for min_rank in (Rank.RUNTIME, Rank.OWN):
            reached = self._first_nodes(ranks >= min_rank)[self.node_of]
            chosen = np.where(reached > 0, reached, chosen)
        return chosen

    def _first_nodes(self, candidates: Any) -> Any:
        """For each node, return the first candidate among the node and its callers, or 0.

        `candidates` has a flag for each node. Each iteration doubles the number of callers that are
        followed, so the deepest stack takes 24 iterations.
        """
        nodes = np.arange(len(self.parents))
        reached = np.where(candidates, nodes, self.parents)
        reached[0] = 0
        while np.any((further := reached[reached]) != reached):
            reached = further
        return reached

    def _node(self, site: int) -> int:
        """Return the node of a site, or 0 if the table does not have the site."""
        return int(self.node_of[site]) if 0 <= site < len(self) else 0


EMPTY = SiteTable()
"""A table without sites."""


def table_of_addresses(
    parents: Any, addresses: Any, chains: Sequence[Sequence[Frame]]
) -> SiteTable:
    """Return the table of a tree of addresses; row N of the tree becomes site N.

    Row N has an address number, addresses[N], and the row of its caller, parents[N]; row 0 is not
    used. chains[A] has the frames at address number A, the innermost first. An address has several
    frames if the compiler has inlined functions there. If parents[N] is not less than N, the caller
    counts as unknown.
    """
    rows = np.arange(len(parents))
    above = np.where(np.asarray(parents) < rows, parents, 0).astype(np.int64)
    addresses = np.asarray(addresses, np.int64)
    frames, numbers, starts = _numbered(chains)
    counts = np.diff(starts)[addresses]
    counts[:1] = 0
    # The nodes of a row are consecutive, from the outermost frame to the innermost.
    last = np.cumsum(counts)
    row = np.repeat(rows, counts)
    node = np.arange(1, len(row) + 1)
    first = node == (last - counts)[row] + 1
    callers = np.where(first, last[above[row]], node - 1)
    chosen = numbers[starts[addresses[row]] + last[row] - node]
    return SiteTable(frames, _from_node_0(callers), _from_node_0(chosen), last.astype(np.uint32))


def _numbered(chains: Sequence[Sequence[Frame]]) -> tuple[list[Frame], Any, Any]:
    """Return (distinct frames, frame numbers of all chains, start of each chain in the numbers).

    A chain without frames gets the frame UNKNOWN.
    """
    numbers_of = {UNKNOWN: 0}
    full = [[*chain] or [UNKNOWN] for chain in chains]
    numbers = [numbers_of.setdefault(frame, len(numbers_of)) for chain in full for frame in chain]
    starts = np.cumsum([0, *map(len, full)])
    return [*numbers_of], np.array(numbers, np.int64), starts


def _from_node_0(entries: Any) -> Any:
    """Prepend a 0 for node 0 to `entries`, which start at node 1; return them as uint32."""
    return np.concatenate([[0], entries]).astype(np.uint32)
