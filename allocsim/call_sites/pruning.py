"""Reduce a table of call sites to the sites that a trace uses, and their callers."""

from __future__ import annotations

from typing import Any

import numpy as np

from allocsim.call_sites.table import SiteTable


def pruned(table: SiteTable, used: Any) -> SiteTable:
    """Return a table in which site N has the stack of site used[N] in `table`; used[0] must be 0.

    Nodes and frames that none of these stacks contains are dropped. A number in `used` that `table`
    does not have becomes an unknown site.
    """
    sites = np.where(np.asarray(used) < len(table), used, 0)
    nodes = table.node_of[sites]
    kept_nodes = np.flatnonzero(_with_callers(table.parents, nodes))
    number = np.zeros(len(table.parents), np.uint32)
    number[kept_nodes] = np.arange(len(kept_nodes))
    frames, frame_of = np.unique(np.append(table.frame_of[kept_nodes], 0), return_inverse=True)
    return SiteTable(
        [table.frames[frame] for frame in frames.tolist()],
        number[table.parents[kept_nodes]],
        frame_of.reshape(-1)[:-1].astype(np.uint32),
        number[nodes],
    )


def _with_callers(parents: Any, nodes: Any) -> Any:
    """Return a flag for each node: whether it is node 0, in `nodes`, or a caller of one of these.

    Each iteration follows callers twice as far, so 24 iterations suffice for the deepest stack.
    """
    is_kept = np.zeros(len(parents), np.bool_)
    is_kept[0] = is_kept[nodes] = True
    above = parents
    while np.any(above):
        is_kept[above[is_kept]] = True
        above = above[above]
    return is_kept
