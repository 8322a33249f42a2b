"""The table of moments that `replay` and `explain` show."""

from __future__ import annotations

from allocsim.moments import Moment, grouped
from allocsim.reports.screen import Table, simple_table
from allocsim.text import format_bytes

COLUMNS = ("event", "footprint", "live", "x live")
"""The columns of a table of moments, after the name."""


def moment_cells(moment: Moment) -> list[str]:
    """Return the cells of a moment, in the order of COLUMNS."""
    return [
        "" if moment.event is None else f"{moment.event:,}",
        format_bytes(moment.footprint),
        format_bytes(moment.live),
        "-" if moment.overhead is None else f"{moment.overhead:.2f}",
    ]


def moments_table(moments: tuple[Moment, ...], chosen: int | None = None) -> Table:
    """Return a table of footprint, live bytes and ratio at each moment.

    The moment of event `chosen` is marked.
    """
    table = simple_table()
    table.add_column("moment", no_wrap=True)
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for names, moment in grouped(moments):
        is_chosen = chosen is not None and moment.event == chosen
        table.add_row(
            f"> {names}" if is_chosen else names,
            *moment_cells(moment),
            style="bold" if is_chosen else "",
        )
    return table
