"""Print how the footprints of two workloads differ: tables, conclusions and warnings."""

from __future__ import annotations

from collections.abc import Iterable

from allocsim.explanation.change_sentences import change_sentences
from allocsim.explanation.changes import Change, Changes, paired_what_ifs
from allocsim.explanation.what_if import WhatIf
from allocsim.reports.explanation_screen import ROWS, TITLES, change_of, when
from allocsim.reports.screen import Screen, Table, simple_table, styled
from allocsim.text import counted, format_bytes, format_change

EVENTS, LIVE = ("event A", "event B"), ("live A", "live B")
OBJECTS_AND_LIVE = ("objects A", "objects B", *LIVE)
"""Columns that a narrow screen does not show. They are left out in this order."""

MEANING = (
    "A: {before}; B: {after}. Owned: live + rounding + pinned bytes. Pinned: free bytes in spans "
    "or pages with live objects. Noise: a change below 1 MiB or below 2% of the footprint of A."
)


def print_changes(changes: Changes, before: str, after: str) -> None:
    """Print the changes from the workload called `before` to the one called `after`."""
    screen, whens = Screen(), [when(each.moment) for each in (changes.before, changes.after)]
    title = f"{before} at {whens[0]} and {after} at {whens[1]}, on {changes.before.subject}"
    screen.print(styled(title, "bold"))
    screen.print_table(_moments_table(changes), expendable=(*LIVE, *EVENTS))
    screen.print_table(_parts_table(changes))
    for by in dict.fromkeys(change.by for change in changes.owners):
        rows = [change for change in changes.owners if change.by == by]
        screen.print_table(_owners_table(by, rows, changes), expendable=OBJECTS_AND_LIVE)
    screen.print(styled(MEANING.format(before=before, after=after), "dim"))
    if changes.before.what_ifs or changes.after.what_ifs:
        screen.print_table(_what_if_table(changes), expendable=())
    screen.print("", *map(styled, change_sentences(changes)))
    cautions = dict.fromkeys([*changes.before.cautions, *changes.after.cautions])
    screen.print(*(styled(f"warning: {caution}", "yellow") for caution in cautions))


def _table(title: str, columns: Iterable[str]) -> Table:
    """Return an empty table with a column of names and columns of figures."""
    table = simple_table()
    table.add_column(title, no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _moments_table(changes: Changes) -> Table:
    """Return the table of the moments: events, footprints and live bytes of both workloads."""
    table = _table("moment", (*EVENTS, "footprint A", "footprint B", "change", *LIVE))
    after = {moment.name: moment for moment in changes.after.moments}
    for moment in changes.before.moments:
        other = after.get(moment.name)
        if other is None:
            continue
        events = ["" if each.event is None else f"{each.event:,}" for each in (moment, other)]
        cells = _cells(changes, moment.footprint, other.footprint)
        live = [format_bytes(each.live) for each in (moment, other)]
        table.add_row(moment.name, *events, *cells, *live)
    return table


def _parts_table(changes: Changes) -> Table:
    """Return the table of the parts of both footprints."""
    table = _table("part of the footprint", ("A", "B", "change"))
    old, new = changes.before.parts, changes.after.parts
    for name in dict.fromkeys([*old, *new]):
        table.add_row(name, *_cells(changes, old.get(name, 0), new.get(name, 0)))
    footprints = (changes.before.moment.footprint, changes.after.moment.footprint)
    table.add_row("footprint", *_cells(changes, *footprints), style="bold")
    return table


def _owners_table(by: str, rows: list[Change], changes: Changes) -> Table:
    """Return the table of a grouping: the largest changes, and one row for all other changes."""
    columns = (*OBJECTS_AND_LIVE, "owned A", "owned B", "change")
    table = _table(f"owner, by {TITLES[by]}", columns)
    for change in rows[:ROWS]:
        table.add_row(change.name, *_owner_cells([change], changes))
    if others := rows[ROWS:]:
        table.add_row(counted(len(others), "other"), *_owner_cells(others, changes))
    return table


def _owner_cells(rows: list[Change], changes: Changes) -> list[str]:
    """Return the cells of a row for one or more owners, whose figures are added."""

    def sums(field: str) -> list[int]:
        """Return the sum of a field before and after."""
        return [sum(pair) for pair in zip(*(each.figures(field) for each in rows), strict=True)]

    objects = [f"{count:,}" for count in sums("objects")]
    live = [format_bytes(size) for size in sums("live")]
    before, after = sums("owned")
    return [*objects, *live, *_cells(changes, before, after)]


def _what_if_table(changes: Changes) -> Table:
    """Return the table of the experiments on both workloads."""
    table = _table("what if", ("footprint A", "change", "footprint B", "change"))
    for pair in paired_what_ifs(changes):
        name = next(each.what for each in pair if each is not None)
        table.add_row(name, *(cell for each in pair for cell in _what_if_cells(each)))
    return table


def _what_if_cells(each: WhatIf | None) -> tuple[str, str]:
    """Return the cells of an experiment, or empty cells if it was not made."""
    return ("", "") if each is None else (format_bytes(each.footprint), change_of(each))


def _cells(changes: Changes, before: int, after: int) -> list[str]:
    """Return two sizes and their change as text; "noise" if the change is too small."""
    change = after - before
    text = "" if not change else "noise" if changes.is_noise(change) else format_change(change)
    return [format_bytes(before), format_bytes(after), text]
