"""What-ifs: experiments that change one thing and measure the footprint at a given moment.

The moment is an event of the original workload, and each experiment replays up to that event. An
experiment replays a variant of the workload, replays with other settings, or frees objects after
the replay. Every result is measured, not estimated.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TypeAlias

import numpy as np

from allocsim.errors import CheckFailed, EnvironmentLacks
from allocsim.events import Trace
from allocsim.explanation.labels import Labels
from allocsim.explanation.noise import is_noise
from allocsim.explanation.owners import Owner
from allocsim.explanation.settings import tried_settings
from allocsim.explanation.subject import Subject
from allocsim.explanation.variants import Match, variant
from allocsim.text import format_bytes


@dataclass(frozen=True)
class WhatIf:
    """An experiment and its result."""

    kind: str
    """"release": free pages are released. "freed": the group is freed, and then free pages are
    released. "unasked": the group is freed, without a release. "never": the group is not allocated.
    "own heap": the group is in a separate heap. "setting": other settings."""
    group: str
    """Name of the group of objects; "" for the kinds "release" and "setting"."""
    what: str
    """The experiment in a phrase."""
    footprint: int
    """The measured footprint at the moment, in bytes."""
    change: int
    """`footprint` minus the footprint of the unchanged workload at the moment, in bytes."""
    how: str
    """The method by which the result was measured, in a phrase."""

    def is_noise(self) -> bool:
        """Return whether the change is too small to mean anything."""
        return is_noise(self.footprint - self.change, self.change)


Step: TypeAlias = Callable[[], list[WhatIf]]
"""A function that makes one or more experiments and returns their results."""


@dataclass(frozen=True)
class Group:
    """A group of objects to experiment with."""

    owner: Owner
    numbers: np.ndarray
    """Ids of the objects of the group that are live at the moment."""
    match: Match


def group_of(labels: Labels, owner: Owner, number: np.ndarray) -> Group:
    """Return the group of an owner; `number` has the ids of all live objects."""
    index = labels.names.index(owner.name)
    return Group(owner, number[labels.group == index], labels.match_of(index))


class Experiments:
    """The experiments of an explanation."""

    def __init__(
        self,
        subject: Subject,
        open_trace: Callable[[], Trace],
        moment: tuple[int, int],
        seconds: float,
    ) -> None:
        """`open_trace` opens the workload with its call sites. `moment` is (event, footprint).

        After `seconds`, no further experiment is started.
        """
        self.subject, self.open_trace = subject, open_trace
        self.event, self.footprint = moment
        self.deadline = time.monotonic() + seconds
        self._parts: dict[tuple[str, str, bool], int] = {}
        self._skipped: list[Step] = []
        self.failures: list[str] = []
        """The messages of experiments that failed."""

    @property
    def left_out(self) -> int:
        """The number of experiments that were left out because `seconds` had passed."""
        return len(self._skipped)

    def results(self, groups: list[Group], top: Group | None = None) -> list[WhatIf]:
        """Make the experiments: a release, then those for each group, then those for each setting.

        If the heap shrinks only at its end, `top` is the group of the live object at the highest
        address.
        """
        steps: list[list[Step]] = [[partial(self._released, groups, top)]]
        steps += [[self._never(group), self._own_heap(group)] for group in groups]
        steps += [[partial(self._setting, name)] for name in tried_settings(self.subject.name)]
        return [result for one in self._side_by_side(steps) for result in one]

    def _side_by_side(self, steps: list[list[Step]]) -> list[list[WhatIf]]:
        """Return the results of each list of steps; lists run in parallel if the subject allows it.

        Threads suffice, because each only waits for the process that replays.
        """
        count = self.subject.side_by_side()
        self.subject = self.subject.sharing(count)
        if count == 1:
            return [*map(self._in_time, steps)]
        with ThreadPoolExecutor(count, "experiments") as pool:
            try:
                return [*pool.map(self._in_time, steps)]
            finally:
                pool.shutdown(cancel_futures=True)

    def _in_time(self, steps: list[Step]) -> list[WhatIf]:
        """Make experiments one after another, except those that would start after the deadline.

        If one fails, the others are still made.
        """
        results = []
        for step in steps:
            if time.monotonic() > self.deadline:
                self._skipped.append(step)  # threads share it: append is atomic, += is not
                continue
            try:
                results += step()
            except (CheckFailed, EnvironmentLacks) as error:
                self.failures.append(str(error))
        return results

    def _released(self, groups: list[Group], top: Group | None) -> list[WhatIf]:
        """Measure after a release: first the unchanged heap, then the heap with each group freed.

        If `top` is given, also measure the heap with this group freed but no release requested.
        """
        subject, nothing = self.subject, np.zeros(0, np.int64)
        freed = [*groups, *([top] if top else [])]
        sets = [nothing, *(group.numbers for group in freed)]
        first, *others = subject.after_release(self.event, sets)
        results = [self._result("release", "", subject.release, first[1], subject.copied)]
        for group, (unrequested, left) in zip(freed, others, strict=True):
            name = group.owner.name
            if group is top:
                change = f"only free '{name}'"
                results.append(self._result("unasked", name, change, unrequested, subject.copied))
            else:
                change = f"free '{name}', then {subject.release}"
                results.append(self._result("freed", name, change, left, subject.copied))
        return results

    def _never(self, group: Group) -> Step:
        """Return the experiment without a group's objects."""
        name = group.owner.name
        return lambda: [
            self._result(
                "never", name, f"never allocate '{name}'", self._part(group, False), "replayed"
            )
        ]

    def _own_heap(self, group: Group) -> Step:
        """Return the experiment with a group's objects in a separate heap.

        The result is the sum of the footprints of two replays, less that of an empty heap.
        """

        def replay() -> list[WhatIf]:
            """Measure three new heaps: empty, with the other groups' objects, with the group."""
            start = self._start
            footprint = self._part(group, False) + self._part(group, True) - start
            name = group.owner.name
            change = f"put '{name}' in a separate heap"
            method = f"two replays, minus the {format_bytes(start)} that an empty heap takes"
            return [self._result("own heap", name, change, footprint, method)]

        return replay

    def _setting(self, name: str) -> list[WhatIf]:
        """Replay on the subject `name`, which is the same subject with another setting."""
        footprint = replace(self.subject, name=name).footprint_at(self.event)
        settings = name.removeprefix(f"{self.subject.name}:").replace(":", ", ")
        return [self._result("setting", "", settings, footprint, "replayed")]

    def _part(self, group: Group, kept: bool) -> int:
        """Return the footprint of the group alone (`kept`), or of the other objects, in bytes.

        Two experiments need the replay without the group. It is made once.
        """
        key = group.owner.by, group.owner.name, kept
        if key not in self._parts:
            trace = variant(self.open_trace(), self.event, group.match, kept)
            self._parts[key] = self.subject.footprint_of(trace)
        return self._parts[key]

    @cached_property
    def _start(self) -> int:
        """The footprint of an empty heap, in bytes."""
        return self.subject.footprint_at(0)

    def _result(self, kind: str, group: str, what: str, footprint: int, how: str) -> WhatIf:
        """Return the result of an experiment that measured `footprint` bytes."""
        return WhatIf(kind, group, what, footprint, footprint - self.footprint, how)
