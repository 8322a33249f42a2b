"""Charts of a sweep in the terminal: the Pareto front, and a heat map of two settings."""

from __future__ import annotations

from collections.abc import Sequence

from allocsim.reports.screen import PlainText, Screen, simple_table, styled
from allocsim.sweep.results import Column, Results
from allocsim.sweep.setting_maps import SettingMap, position, setting_maps
from allocsim.text import format_bytes

ROWS, COLUMNS = 10, 60
"""Size of the chart of a front, in characters."""

COLOURS = ("green", "green3", "yellow", "dark_orange", "red")
"""Colours of a heat map, from the smallest figure to the largest."""


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
        row = position(peaks[name], low, high, ROWS)
        chart[ROWS - 1 - row][position(times[name], fast, slow, COLUMNS)] = (
            "*" if name in best else "o"
        )
    labels = [format_bytes(high), *[""] * (ROWS - 2), format_bytes(low)]
    for label, line in zip(labels, chart, strict=True):
        screen.print(f"{label:>10} |{''.join(line)}")
    left, right = f"{fast:.1f}", f"{slow:.1f} ns/event"
    screen.print(f"{'':>10} +{'-' * COLUMNS}", f"{'':>11} {left}{right:>{COLUMNS - len(left)}}")


def heat_map(screen: Screen, results: Results) -> None:
    """Print, for each allocator, a map of the two settings that affect its footprint most."""
    for each in setting_maps(results):
        _print_map(screen, each)


def _print_map(screen: Screen, shown: SettingMap) -> None:
    """Print the mean footprint for each pair of values, relative to the smallest mean."""
    down, across = shown.keys
    title = (
        f"{shown.allocator}, peak footprint above the smallest one (rows: {down}, "
        f"columns: {across})"
    )
    screen.print(styled(title, "bold"))
    table = simple_table()
    table.add_column("", no_wrap=True)
    for value in shown.across:
        table.add_column(value, justify="right", no_wrap=True)
    for value in shown.down:
        ratios = [shown.ratios.get((value, other)) for other in shown.across]
        table.add_row(value, *(_map_cell(shown, ratio) for ratio in ratios))
    screen.print_table(table, 2)


def _map_cell(shown: SettingMap, ratio: float | None) -> PlainText:
    """Show how far a mean is above the smallest mean.

    `ratio` is the mean divided by the smallest mean. It is None if every measurement of the pair of
    values failed; the cell is then "-".
    """
    if ratio is None:
        return styled("-")
    return styled(f"{ratio - 1:+.1%}", COLOURS[shown.level(ratio)])
