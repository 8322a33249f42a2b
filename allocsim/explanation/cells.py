"""Occupancy of the heap by address and time, in the cells of a heap map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from allocsim.benchmark.occupancy import REGION
from allocsim.explanation.looks import Look

LEVELS = ("no live object", "under 25% live", "25 to 50%", "50 to 75%", "over 75% live")
"""The occupancy of a cell: the share of its resident memory that live objects take."""


def occupancy_cells(looks: Sequence[Look], max_rows: int) -> tuple[np.ndarray, int]:
    """Return (bytes, bytes of address space in a row), for at most `max_rows` rows.

    The bytes are an array of (row, look, 2): bytes of units, and bytes of live objects in them. The
    first row has the lowest addresses. Addresses without a unit in any look are left out.
    """
    numbers = np.unique(np.concatenate([look.regions[:, 0] for look in looks]))
    regions_per_row = max(-(-len(numbers) // max_rows), 1)
    cells = np.zeros((-(-len(numbers) // regions_per_row), len(looks), 2), np.int64)
    for index, look in enumerate(looks):
        rows = np.searchsorted(numbers, look.regions[:, 0]) // regions_per_row
        np.add.at(cells[:, index], rows, look.regions[:, 1:])
    return cells, regions_per_row * REGION


def levels_of(cells: np.ndarray) -> np.ndarray:
    """Return the number of the level of each cell, or -1 if it has no memory."""
    memory, live = cells[:, :, 0], cells[:, :, 1]
    quarters = np.minimum(4 * live // np.maximum(memory, 1), 3) + 1
    return np.where(memory == 0, -1, np.where(live == 0, 0, quarters))
