"""Changes between the explanations of two workloads: by how many bytes each owner grew or shrank.

Typically the workloads are recordings of a program before and after an edit. An owner is a group of
live objects, such as those of one size or of one call site. Owners are matched by name. The name of
a call site is its function, file and line. An edit moves lines. Therefore, if a function has
exactly one unmatched call site in each workload, the two are matched, although their lines differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from allocsim.errors import UnknownName
from allocsim.explanation.explanation import Explanation
from allocsim.explanation.noise import is_noise
from allocsim.explanation.owners import Owner
from allocsim.explanation.what_if import WhatIf
from allocsim.moments import Choice, Moment, Share

MOVED = " -> "
"""Separates the old line number from the new one in the name of a call site that has moved."""

_MOVED_LINE = re.compile(rf"(.*):(\d+){MOVED}(\d+)", re.DOTALL)
"""Matches the name of a call site that has moved. Only an arrow between two line numbers at the end
counts, because the name of a function may contain an arrow too."""

_LINE = re.compile(r":\d+$")
"""The line number at the end of a call site's name."""


@dataclass(frozen=True)
class Change:
    """An owner in one or both workloads."""

    by: str
    before: Owner | None
    """None if the owner is new."""
    after: Owner | None
    """None if the owner is gone."""

    @property
    def name(self) -> str:
        """The name of the owner, as in "serve a.c:7"; "serve a.c:7 -> 9" if its line has moved."""
        names = [owner.name for owner in (self.before, self.after) if owner is not None]
        if len({*names}) == 1:
            return names[0]
        return f"{names[0]}{MOVED}{names[1].rpartition(':')[2]}"

    def figures(self, field: str) -> tuple[int, int]:
        """Return a field of `Owner` in both workloads, or 0 for a workload without the owner."""
        pair = (self.before, self.after)
        before, after = (getattr(owner, field) if owner else 0 for owner in pair)
        return before, after

    @property
    def owned(self) -> int:
        """The change of `Owner.owned` in bytes."""
        before, after = self.figures("owned")
        return after - before


@dataclass(frozen=True)
class Changes:
    """The explanations of two workloads on one allocator.

    Both are at the moment that the user chose or, for "worst", at moments that correspond (see
    `same_moment`).
    """

    before: Explanation
    after: Explanation
    owners: list[Change]
    """The changes in each grouping that both explanations have. In each grouping, the largest
    change of owned bytes comes first."""

    @property
    def footprint(self) -> int:
        """The change of the footprint at the moment, in bytes."""
        return self.after.moment.footprint - self.before.moment.footprint

    def is_noise(self, change: int) -> bool:
        """Return whether a change in bytes is too small to mean anything."""
        return is_noise(self.before.moment.footprint, change)


def same_moment(moments: Sequence[Moment], event: int) -> Choice:
    """Return the moment at which to explain the second of two workloads.

    The first workload has the given `moments` and is explained after `event` events. If this moment
    is its end, peak or live peak, the second workload is explained at its own moment of the same
    name. Otherwise, the second workload is explained after the same share of its events. Its own
    worst moment (see `allocsim.moments`) is not used, because the worst moment may be the peak of
    one workload and the end of the other.
    """
    events = {each.name: each.event for each in moments}
    for name in ("end", "peak", "live-peak"):
        if events[name] == event:
            return name
    return Share(event / (events["end"] or 1))


def changes_of(before: Explanation, after: Explanation) -> Changes:
    """Return the changes from one explanation to another."""
    return Changes(before, after, matched(before.owners, after.owners))


def matched(before: Sequence[Owner], after: Sequence[Owner]) -> list[Change]:
    """Match the owners of two workloads, in each grouping that both have."""
    shared = [by for by in _groupings(before) if by in _groupings(after)]
    return [change for by in shared for change in _changes_by(by, before, after)]


def names_in_both(name: str) -> tuple[str, str]:
    """Return the name that an owner has in each workload; `name` is its `Change.name`."""
    moved = _MOVED_LINE.fullmatch(name)
    return (f"{moved[1]}:{moved[2]}", f"{moved[1]}:{moved[3]}") if moved else (name, name)


def require_groups(before: Sequence[Owner], after: Sequence[Owner], names: Iterable[str]) -> None:
    """Raise UnknownName for a name that no owner has in either workload (see `names_in_both`)."""
    known = {owner.name for owner in (*before, *after)}
    for name in names:
        if known.isdisjoint(names_in_both(name)):
            raise UnknownName("group", name, [each.name for each in matched(before, after)])


def paired_what_ifs(changes: Changes) -> list[tuple[WhatIf | None, WhatIf | None]]:
    """Return the experiments on both workloads, with None where there is no counterpart.

    Two experiments correspond if they have the same kind and the same group. Experiments without a
    group correspond if they make the same change.
    """
    both = [(each.before, each.after) for each in changes.owners]
    renamed = {old.name: new.name for old, new in both if old and new}
    before = {
        (each.kind, renamed.get(each.group, each.group) or each.what): each
        for each in changes.before.what_ifs
    }
    after = {(each.kind, each.group or each.what): each for each in changes.after.what_ifs}
    return [(before.get(key), after.get(key)) for key in dict.fromkeys([*before, *after])]


def _groupings(owners: Sequence[Owner]) -> list[str]:
    """Return the groupings of some owners, in order of first appearance."""
    return [*dict.fromkeys(owner.by for owner in owners)]


def _changes_by(by: str, before: Sequence[Owner], after: Sequence[Owner]) -> list[Change]:
    """Return the changes of a grouping."""
    old, new = ({o.name: o for o in each if o.by == by} for each in (before, after))
    pairs = {name: name for name in old if name in new}
    if by == "site":
        pairs |= _moved(old.keys() - pairs, new.keys() - pairs)
    gone = [Change(by, owner, None) for name, owner in old.items() if name not in pairs]
    known = {*pairs.values()}
    added = [Change(by, None, owner) for name, owner in new.items() if name not in known]
    both = [Change(by, old[name], new[other]) for name, other in pairs.items()]
    return sorted(both + gone + added, key=lambda change: (-abs(change.owned), change.name))


def _moved(old: Iterable[str], new: Iterable[str]) -> dict[str, str]:
    """Return {old name: new name} for functions with one call site before and one after."""
    olds, news = _by_function(old), _by_function(new)
    return {
        olds[function][0]: news[function][0]
        for function in olds.keys() & news.keys()
        if len(olds[function]) == len(news[function]) == 1
    }


def _by_function(names: Iterable[str]) -> dict[str, list[str]]:
    """Return the names of call sites with a line, by function and file."""
    by_function: dict[str, list[str]] = {}
    for name in names:
        if _LINE.search(name):
            by_function.setdefault(_LINE.sub("", name), []).append(name)
    return by_function
