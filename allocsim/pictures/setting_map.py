"""A map of two settings: the peak footprint for each pair of their values."""

from __future__ import annotations

from collections.abc import Sequence

from allocsim.pictures.figure import Figure
from allocsim.pictures.matrix import Cell, Side, matrix
from allocsim.pictures.palette import LEVELS
from allocsim.sweep.setting_maps import SettingMap


def setting_map(shown: SettingMap) -> Figure:
    """Return the figure of a map."""
    down, across = shown.keys
    cells = [
        Cell(value, other, shown.level(ratio), f"{ratio - 1:+.1%}")
        for (other, value), ratio in shown.ratios.items()
    ]
    columns, rows = Side(across, shown.across), Side(down, shown.down)
    names = _level_names(shown.max_ratio - 1)
    return Figure(
        title=f"{shown.allocator}: {down} and {across}",
        summary=f"The two settings with the largest effects: {down} downwards, {across} across. A "
        "cell shows the mean peak footprint, over the workloads and the other settings, relative "
        "to the best cell.",
        view=lambda width: matrix(width, cells, columns, rows, names),
        titles=(down, across, "peak footprint above the smallest one"),
        rows=[[cell.row, cell.column, cell.text] for cell in cells],
        left=(0, 1),
    )


def _level_names(max_excess: float) -> Sequence[str]:
    """Return the names of the levels. `max_excess` is (largest figure / smallest) - 1."""
    bounds = (100 * max_excess * (level + 1) / len(LEVELS) for level in range(len(LEVELS)))
    return [f"to +{float(f'{bound:.2g}'):,g}%" for bound in bounds]
