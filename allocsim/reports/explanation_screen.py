"""An explanation on the screen: moments, parts, owners, experiments and sentences."""

from __future__ import annotations

from allocsim.explanation.explanation import Explanation
from allocsim.explanation.owners import Owner
from allocsim.explanation.what_if import WhatIf
from allocsim.moments import Moment
from allocsim.reports.moments_table import moments_table
from allocsim.reports.phrases import bar, percent
from allocsim.reports.screen import Screen, Table, simple_table, styled
from allocsim.text import counted, format_bytes, format_change

ROWS = 8
"""Maximum number of owners shown for each grouping. The others are summed in one row."""

EXPENDABLE = ("in slabs", "only", "rounding", "objects", "pinned", "live")
"""Columns of owners that a narrow screen does not show, in the order in which they are left out."""

TITLES = {
    "size": "object size",
    "thread": "thread",
    "age": "age",
    "lifetime": "lifetime",
    "site": "call site",
}

MEANING = (
    "pinned: free bytes of {unit}s that hold a live object, shared equally by the objects of a "
    "{unit}; owned: live + rounding + pinned{untouched}; only: {unit}s whose live "
    "objects all belong to this row"
)

SLABS = "; in slabs: bytes of slabs, shared equally by the objects of a slab"


def print_explanation(explanation: Explanation, workload: str) -> None:
    """Print the explanation of a workload."""
    screen, moment = Screen(), explanation.moment
    factor = "" if moment.overhead is None else f", {moment.overhead:.2f}x live"
    screen.print(
        styled(
            f"{workload} on {explanation.subject}, at {when(moment)}: "
            f"{format_bytes(moment.footprint)} for {format_bytes(moment.live)} live{factor}",
            "bold",
        )
    )
    screen.print(*filter(None, [explanation.threads.sentence()]))
    screen.print_table(moments_table(explanation.moments, moment.event))
    screen.print_table(_parts_table(explanation))
    for by in dict.fromkeys(owner.by for owner in explanation.owners):
        rows = [owner for owner in explanation.owners if owner.by == by]
        screen.print_table(_owners_table(by, rows, explanation), expendable=EXPENDABLE)
    slabs = SLABS if any(owner.slabs is not None for owner in explanation.owners) else ""
    untouched = " - untouched" if "untouched" in explanation.parts else ""
    screen.print(styled(MEANING.format(unit=explanation.unit, untouched=untouched) + slabs, "dim"))
    if explanation.what_ifs:
        screen.print_table(_what_if_table(explanation), expendable=("",))
    screen.print("", *(styled(sentence) for sentence in explanation.sentences))
    screen.print(*(styled(f"warning: {caution}", "yellow") for caution in explanation.cautions))


def when(moment: Moment) -> str:
    """Return a moment as text: its event, and its name if it has one."""
    event = f"event {moment.event:,}"
    return event if moment.name.isdecimal() else f"{moment.name} ({event})"


def _parts_table(explanation: Explanation) -> Table:
    """Return the table of the parts of the footprint."""
    table, whole = Table(box=None), explanation.moment.footprint
    for title in ("part of the footprint", "", ""):
        table.add_column(title, justify="right" if not title else "left", no_wrap=True)
    table.add_column("", min_width=20, no_wrap=True)
    for name, size in explanation.parts.items():
        table.add_row(name, format_bytes(size), percent(size, whole), bar(size, whole))
    table.add_row("footprint", format_bytes(whole), percent(whole, whole), style="bold")
    return table


def _owners_table(by: str, owners: list[Owner], explanation: Explanation) -> Table:
    """Return the table of a grouping: largest owners, all others, and bytes without an owner."""
    whole = explanation.moment.footprint
    table = simple_table()
    table.add_column(f"owner, by {TITLES[by]}", no_wrap=True)
    with_slabs = owners[0].slabs is not None
    names = ("objects", "live", "rounding", "pinned", "owned", "share", "only")
    for name in (*names, "in slabs") if with_slabs else names:
        table.add_column(name, justify="right", no_wrap=True)
    for owner in owners[:ROWS]:
        table.add_row(owner.name, *_cells(owner, whole))
    if len(owners) > ROWS:
        others = counted(len(owners) - ROWS, "other")
        table.add_row(others, *_cells(_sum(owners[ROWS:]), whole, False))
    size = sum(explanation.unowned.values())
    if size:
        table.add_row("no live object", "", "", "", "", format_bytes(size), percent(size, whole))
    return table


def _cells(owner: Owner, whole: int, with_only: bool = True) -> list[str]:
    """Return an owner's figures as text; the columns after "share" are empty unless `with_only`."""
    sizes = [format_bytes(getattr(owner, name)) for name in ("live", "rounding", "pinned", "owned")]
    only = format_bytes(owner.only) if with_only else ""
    slabs = [] if owner.slabs is None or not with_only else [format_bytes(owner.slabs)]
    return [f"{owner.objects:,}", *sizes, percent(owner.owned, whole), only, *slabs]


def _sum(owners: list[Owner]) -> Owner:
    """Return the sum of several owners. `only` and `some` are 0, because they cannot be added."""
    names = ("objects", "live", "rounding", "pinned", "owned")
    sums = {name: sum(getattr(owner, name) for owner in owners) for name in names}
    return Owner(by=owners[0].by, name="", **sums, only=0, some=0, untouched=0)


def _what_if_table(explanation: Explanation) -> Table:
    """Return the table of the experiments."""
    table = simple_table()
    table.add_column("what if", no_wrap=True)
    for name in ("footprint", "change"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for each in explanation.what_ifs:
        table.add_row(each.what, format_bytes(each.footprint), change_of(each), each.how)
    return table


def change_of(each: WhatIf) -> str:
    """Return the change that an experiment measured, as text."""
    return "within noise" if each.is_noise() else format_change(each.change)
