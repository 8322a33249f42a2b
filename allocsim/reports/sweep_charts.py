"""Charts of a sweep in the terminal: the Pareto front, and a heat map of two settings."""

from __future__ import annotations

from collections.abc import Sequence

from allocsim.reports.screen import PlainText, Screen, simple_table, styled
from allocsim.sweep.findings import PEAKS, effects, table
from allocsim.sweep.results import Column, Results
from allocsim.text import format_bytes

ROWS, COLUMNS = 10, 60
"""Size of the chart of a front, in characters."""

COLOURS = ("green", "green3", "yellow", "dark_orange", "red")
"""Colours of a heat map, from the smallest figure to the largest."""

MAX_VALUES = 24
"""Maximum number of values of a setting in a heat map."""


def front_chart(screen: Screen, column: Column, best: Sequence[str]) -> None:
    """Print footprint against time: `*` is on the Pareto front, `o` is not."""
    peaks, times = column.peaks, column.times
    names = [name for name in peaks if name in times]
    if len(names) < 2:
        return
    low, high = min(peaks[n] for n in names), max(peaks[n] for n in names)
    fast, slow = min(times[n] for n in names), max(times[n] for n in names)
    chart = [[" "] * COLUMNS for _ in range(ROWS)]
    for name in sorted(names, key=lambda name: name in best):  # the front is drawn last, on top
        row = _position(peaks[name], low, high, ROWS)
        chart[ROWS - 1 - row][_position(times[name], fast, slow, COLUMNS)] = (
            "*" if name in best else "o"
        )
    labels = [format_bytes(high), *[""] * (ROWS - 2), format_bytes(low)]
    for label, line in zip(labels, chart, strict=True):
        screen.print(f"{label:>10} |{''.join(line)}")
    left, right = f"{fast:.1f}", f"{slow:.1f} ns/event"
    screen.print(f"{'':>10} +{'-' * COLUMNS}", f"{'':>11} {left}{right:>{COLUMNS - len(left)}}")


def heat_map(screen: Screen, results: Results) -> None:
    """Print, for each allocator, a map of the two settings that affect its footprint most."""
    found = effects(results, PEAKS)
    for allocator in dict.fromkeys(effect.allocator for effect in found):
        keys = [effect.key for effect in found if effect.allocator == allocator]
        if len(keys) > 1:
            _print_map(screen, results, allocator, keys[:2])


def _print_map(screen: Screen, results: Results, allocator: str, keys: Sequence[str]) -> None:
    """Print the mean footprint for each pair of values, relative to the smallest one."""
    means = table(results, PEAKS, allocator, keys)
    down, across = (list(dict.fromkeys(level[index] for level in means)) for index in (0, 1))
    if not means or max(len(down), len(across)) > MAX_VALUES:
        return
    least, most = min(means.values()), max(means.values())
    title = f"{allocator}, peak footprint above the smallest: {keys[0]} down, {keys[1]} across"
    screen.print(styled(title, "bold"))
    shown = simple_table()
    shown.add_column("", no_wrap=True)
    for value in across:
        shown.add_column(value, justify="right", no_wrap=True)
    for value in down:
        figures = [means.get((value, other)) for other in across]
        shown.add_row(value, *(_map_cell(figure, least, most) for figure in figures))
    screen.print_table(shown, 2)


def _map_cell(figure: float | None, least: float, most: float) -> PlainText:
    """Show a mean footprint relative to the smallest one; None: no cell of the pair succeeded."""
    if figure is None:
        return styled("-")
    return styled(f"{figure / least - 1:+.1%}", COLOURS[_position(figure, least, most, 5)])


def _position(value: float, low: float, high: float, places: int) -> int:
    """Scale a value between `low` and `high` to an integer from 0 to places - 1."""
    return min(int((value - low) / (high - low) * places), places - 1) if high > low else 0
