"""The cells of a picture that shows the occupancy of a heap by address and time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allocsim.benchmark.occupancy import REGION
from allocsim.explanation.snapshots import Snapshot

LEVELS = ("no live object", "under 25% live", "25 to 50%", "50 to 75%", "over 75% live")
"""The occupancy of a cell: the share of its resident memory that live objects take."""


def occupancy_cells(snapshots: Sequence[Snapshot], max_rows: int) -> tuple[np.ndarray, int]:
    """Return (cells, bytes of address space in a row).

    The cells are an int64 array of shape (rows, snapshots, 2), with at most `max_rows` rows. A cell
    has two numbers: the bytes of units (spans or pages, see `heap_map`), and the bytes of live
    objects in these units. The first row has the lowest addresses. Addresses that are in no unit of
    any snapshot are left out.
    """
    numbers = np.unique(np.concatenate([snapshot.regions[:, 0] for snapshot in snapshots]))
    regions_per_row = max(-(-len(numbers) // max_rows), 1)
    cells = np.zeros((-(-len(numbers) // regions_per_row), len(snapshots), 2), np.int64)
    for index, snapshot in enumerate(snapshots):
        rows = np.searchsorted(numbers, snapshot.regions[:, 0]) // regions_per_row
        np.add.at(cells[:, index], rows, snapshot.regions[:, 1:])
    return cells, regions_per_row * REGION


def levels_of(cells: np.ndarray) -> np.ndarray:
    """Return the index in LEVELS of each cell, or -1 for a cell without memory."""
    memory, live = cells[:, :, 0], cells[:, :, 1]
    quarters = np.minimum(4 * live // np.maximum(memory, 1), 3) + 1
    return np.where(memory == 0, -1, np.where(live == 0, 0, quarters))
