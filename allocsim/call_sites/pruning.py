"""Pruning of a table of call sites: only the sites that a trace uses, with their callers."""

from __future__ import annotations

from typing import Any

import numpy as np

from allocsim.call_sites.table import SiteTable


def pruned(table: SiteTable, used: Any) -> SiteTable:
    """Return the table whose site N has the stack of the site used[N]; used[0] must be 0.

    Nodes and frames that no such stack contains are left out. Sites that `table` does not have are
    unknown sites.
    """
    known = np.where(np.asarray(used) < len(table), used, 0)
    nodes = table.node_of[known]
    kept = np.flatnonzero(_with_callers(table.parents, nodes))
    number = np.zeros(len(table.parents), np.uint32)
    number[kept] = np.arange(len(kept))
    frames, frame_of = np.unique(np.append(table.frame_of[kept], 0), return_inverse=True)
    return SiteTable(
        [table.frames[frame] for frame in frames.tolist()],
        number[table.parents[kept]],
        frame_of.reshape(-1)[:-1].astype(np.uint32),
        number[nodes],
    )


def _with_callers(parents: Any, nodes: Any) -> Any:
    """Return a flag for each node: whether it is node 0, one of `nodes`, or a caller of these.

    Every step doubles the distance, so the deepest stack takes 24 steps.
    """
    is_kept = np.zeros(len(parents), np.bool_)
    is_kept[0] = is_kept[nodes] = True
    above = parents
    while np.any(above):
        is_kept[above[is_kept]] = True
        above = above[above]
    return is_kept
