"""A list of names, each with a description: what `allocsim list` prints."""

from __future__ import annotations

from collections.abc import Mapping

from allocsim.reports.screen import Screen, Table, indented, styled

_INDENT = 6
"""Indentation, in columns, of a description that is printed below its name."""


def print_names(names: Mapping[str, str], heading: str | None = None) -> None:
    """Print a list of names, below a heading if several lists are printed."""
    screen = Screen()
    if heading is not None:
        screen.print(styled(heading, "bold underline"))
    screen.print(_table(names, screen.width))
    if heading is not None:
        screen.print("")


def _table(names: Mapping[str, str], width: int) -> Table:
    """Put each description next to its name, or below it if a name needs over half of the width."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    has_room = 2 * max(map(len, names), default=0) <= width
    table.add_column(style="bold", no_wrap=has_room)
    if has_room:
        table.add_column()
    for name, meaning in names.items():
        if has_room:
            table.add_row(name, meaning)
        else:
            table.add_row(name)
            table.add_row(indented(meaning, _INDENT, "not bold"))
    return table
