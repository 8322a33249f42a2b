"""Print the heap map and the timeline of `allocsim explain`.

With colours, a character shows two cells, one above the other: an upper half block in the colour of
the upper cell, on a background in the colour of the lower cell. Without colours, or in ASCII, a
character shows one cell, and its height shows the level of the cell.
"""

from __future__ import annotations

import numpy as np

from allocsim.explanation.cells import LEVELS, levels_of, occupancy_cells
from allocsim.explanation.evidence import Evidence
from allocsim.reports.screen import PlainText, Screen, assembled, styled
from allocsim.reports.timeline import Line, axis, short_count, timeline_table
from allocsim.text import format_bytes

ROWS = 24
"""Maximum rows of cells in colour; half as many without colours."""

COLOURS = ("bright_black", "red", "yellow", "cyan", "blue")
"""The colour of each level of `cells.LEVELS`."""

HEIGHTS = "▁▃▅▇█"
"""The character of each level without colours."""

INDENT = len("footprint ")
"""Columns before the map, which align it with the timeline above it."""

UPPER, LOWER, FULL = "▀▄█"


def print_history(evidence: Evidence, times: list[tuple[int, int]]) -> None:
    """Print the timeline and the heap map; `times` is `Trace.times` of the workload."""
    screen, snapshots = Screen(), evidence.snapshots
    peak = max(snapshot.footprint for snapshot in snapshots)
    lines = [
        Line(
            "footprint", [snapshot.footprint for snapshot in snapshots], peak, _peak(peak), "bold"
        ),
        *(
            Line(name, [snapshot.parts.get(name, 0) for snapshot in snapshots], peak, "", style)
            for name, style in (("live", "green"), ("pinned", "red"))
        ),
    ]
    width = max(min(len(snapshots), screen.width - 30), 8)
    screen.print("", timeline_table(lines, snapshots[-1].event, times, width))
    if any(len(snapshot.regions) for snapshot in snapshots):
        _print_map(screen, evidence, width)


def _peak(size: int) -> str:
    """Return the note that gives the scale of the timeline."""
    return f"full block: {format_bytes(size)}"


def _print_map(screen: Screen, evidence: Evidence, width: int) -> None:
    """Print the heap map, the highest addresses first, with its axis and its legend."""
    in_colour = screen.has_colours
    cells, height = occupancy_cells(evidence.snapshots, ROWS if in_colour else ROWS // 2)
    columns = np.linspace(0, len(evidence.snapshots) - 1, width).astype(int)
    levels = levels_of(cells)[::-1, columns]
    screen.print("", f"heap map: a row of cells is {format_bytes(height)} of addresses")
    lines = half_blocks(levels) if in_colour else map(styled, heights(levels))
    screen.print(*(assembled([(" " * INDENT, "")]) + line for line in lines))
    marks = np.linspace(0, evidence.snapshots[-1].event, 5)
    screen.print(styled(" " * INDENT + axis([short_count(mark) for mark in marks], width), "dim"))
    screen.print(_legend(in_colour))


def heights(levels: np.ndarray) -> list[str]:
    """Return a line for each row of cells; a cell without memory is blank."""
    return ["".join(" " if level < 0 else HEIGHTS[level] for level in row) for row in levels]


def half_blocks(levels: np.ndarray) -> list[PlainText]:
    """Return a line for each pair of rows of cells."""
    if len(levels) % 2:
        levels = np.vstack([levels, np.full(levels.shape[1], -1)])
    return [
        assembled(_half_block(*pair) for pair in zip(upper, lower, strict=True))
        for upper, lower in zip(levels[::2].tolist(), levels[1::2].tolist(), strict=True)
    ]


def _half_block(upper: int, lower: int) -> tuple[str, str]:
    """Return a character and its style for two cells."""
    if upper == lower:
        return (" ", "") if upper < 0 else (FULL, COLOURS[upper])
    if upper < 0:
        return LOWER, COLOURS[lower]
    return UPPER, COLOURS[upper] if lower < 0 else f"{COLOURS[upper]} on {COLOURS[lower]}"


def _legend(in_colour: bool) -> PlainText:
    """Return the legend: what each colour or character means."""
    signs = [(FULL, each) for each in COLOURS] if in_colour else [(each, "") for each in HEIGHTS]
    named = zip(signs, LEVELS, strict=True)
    return assembled(piece for sign, name in named for piece in (sign, (f" {name}  ", "dim")))
