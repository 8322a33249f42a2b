"""What-ifs: experiments that change one thing and measure the footprint at the same moment.

Nothing is derived from a share. A variant of the workload is replayed up to the moment, which is
the same event of the original workload, or objects are freed after a replay up to the moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from allocsim.events import Trace, first_events
from allocsim.explain.labels import Labels
from allocsim.explain.owners import Owner
from allocsim.explain.settings import tried_settings
from allocsim.explain.subject import Subject
from allocsim.explain.variants import Match, variant
from allocsim.text import format_bytes

MIN_NOISE = 1 << 20
"""Bytes below which a change is noise: allocators grow in steps of this order."""

NOISE_SHARE = 50
"""A change below the footprint divided by this is noise too."""


@dataclass(frozen=True)
class WhatIf:
    """An experiment."""

    kind: str
    """"release", "freed", "never", "own heap" or "setting"."""
    group: str
    """Name of the group of objects that it is about; "" for "release" and "setting"."""
    what: str
    """The experiment in a phrase."""
    footprint: int
    """Bytes at the moment, measured."""
    change: int
    """Bytes: `footprint` minus that of the moment without a change."""
    how: str

    def is_noise(self) -> bool:
        """Return whether a change of this size says nothing."""
        before = self.footprint - self.change
        return abs(self.change) < max(MIN_NOISE, before // NOISE_SHARE)


@dataclass(frozen=True)
class Group:
    """A group of objects to experiment with."""

    owner: Owner
    numbers: np.ndarray
    """Ids of its objects that are live at the moment."""
    match: Match


def group_of(labels: Labels, owner: Owner, number: np.ndarray) -> Group:
    """Return the group of an owner; `number` has the ids of all live objects."""
    index = labels.names.index(owner.name)
    return Group(owner, number[labels.group == index], labels.match_of(index))


class Experiments:
    """The experiments of an explanation, in the order in which they are made."""

    def __init__(
        self,
        subject: Subject,
        open_trace: Callable[[], Trace],
        moment: tuple[int, int],
        seconds: float,
    ) -> None:
        """`open_trace` opens the workload with its call sites, `moment` is (event, footprint).

        After `seconds`, no further experiment is begun.
        """
        self.subject, self.open_trace = subject, open_trace
        self.event, self.footprint = moment
        self.deadline = time.monotonic() + seconds
        self.left_out = 0
        """Number of experiments that were not made, for want of time."""

    def results(self, groups: list[Group]) -> list[WhatIf]:
        """Make the experiments and return their results, in order."""
        steps: list[Callable[[], list[WhatIf]]] = [partial(self._released, groups)]
        for group in groups:
            steps += [self._never(group), self._own_heap(group)]
        steps += [partial(self._setting, name) for name in tried_settings(self.subject.name)]
        found = []
        for step in steps:
            if time.monotonic() > self.deadline:
                self.left_out += 1
                continue
            found += step()
        return found

    def _released(self, groups: list[Group]) -> list[WhatIf]:
        """Ask for release as it is, and once each group has been freed."""
        subject, nothing = self.subject, np.zeros(0, np.int64)
        sets = [nothing, *(group.numbers for group in groups)]
        first, *others = subject.after_release(self.event, sets)
        found = [self._result("release", "", subject.release, first, subject.copied)]
        for group, footprint in zip(groups, others, strict=True):
            what = f"{group.owner.name} freed, then {subject.release}"
            found.append(self._result("freed", group.owner.name, what, footprint, subject.copied))
        return found

    def _never(self, group: Group) -> Callable[[], list[WhatIf]]:
        """Return the experiment without a group's objects."""
        name = group.owner.name
        return lambda: [
            self._result(
                "never", name, f"{name} never allocated", self._part(group, False), "replayed"
            )
        ]

    def _own_heap(self, group: Group) -> Callable[[], list[WhatIf]]:
        """Return the experiment with a group's objects in a heap of their own."""

        def replay() -> list[WhatIf]:
            start = self.subject.footprint_of(first_events(self.subject.open_trace(), 0))
            both = self._part(group, False) + self._part(group, True) - start
            name = group.owner.name
            what = f"{name} in a heap of its own"
            how = f"replayed; less the {format_bytes(start)} that an empty heap takes"
            return [self._result("own heap", name, what, both, how)]

        return replay

    def _setting(self, name: str) -> list[WhatIf]:
        """Replay on the subject with other settings, which its new name has."""
        trace = first_events(self.open_trace(), self.event)
        footprint = replace(self.subject, name=name).footprint_of(trace)
        settings = name.removeprefix(f"{self.subject.name}:").replace(":", ", ")
        return [self._result("setting", "", settings, footprint, "replayed")]

    def _part(self, group: Group, kept: bool) -> int:
        """Return the footprint of the group alone, or of the rest."""
        return self.subject.footprint_of(variant(self.open_trace(), self.event, group.match, kept))

    def _result(self, kind: str, group: str, what: str, footprint: int, how: str) -> WhatIf:
        """Return a result."""
        return WhatIf(kind, group, what, footprint, footprint - self.footprint, how)
