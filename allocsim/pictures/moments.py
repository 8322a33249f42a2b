"""The table of moments on a page."""

from __future__ import annotations

from allocsim.markup import Markup
from allocsim.moments import Moment, grouped
from allocsim.pictures.page import table
from allocsim.reports.moments_table import COLUMNS, moment_cells


def moments_table(moments: tuple[Moment, ...]) -> Markup:
    """Return the table of footprint, live bytes and ratio at each moment."""
    rows = [[names, *moment_cells(each)] for names, each in grouped(moments)]
    return table("Moments", ("moment", *COLUMNS), rows, (0,))
