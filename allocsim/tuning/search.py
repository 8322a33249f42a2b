"""Local search for a better table of size classes. The score of a table is measured by replays.

Each step drops, adds or moves one class at random and replays the workloads. The new table is kept
if its score is at most that of the best table so far, and if no workload takes much more memory
than under the design's own table. The result may not be optimal.

Only some sizes are possible for a class. The ascending list of these sizes is called the grid.
"""

from __future__ import annotations

import random
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from allocsim.signals import InterruptConfirmed
from allocsim.tuning.objective import Objective
from allocsim.tuning.propose import Candidate, measured
from allocsim.tuning.question import MeasuredWorkload, Question, objective_of

MAX_SHIFT = 3
"""Maximum number of places in the grid by which a step moves a class."""

INTERRUPTED = "ending the search with the best table so far; interrupt again to stop at once"

WatchSearch = Callable[[Candidate, int], None]
"""Takes the best table so far and the number of replays."""


@dataclass(frozen=True)
class Search:
    """The result of a search."""

    best: Candidate
    replays: int
    """Number of tables that were replayed."""
    seconds: float
    seed: int
    interrupted: bool


def search(
    question: Question,
    workloads: Sequence[MeasuredWorkload],
    start: Candidate,
    limits: tuple[float, int],
    watch: WatchSearch,
) -> Search:
    """Search from `start` for a better table, until the time is up or Ctrl-C is pressed.

    `limits` is (seconds, random seed). `watch` is called after each replay.
    """
    seconds, seed = limits
    steps = Steps(objective_of(question, workloads), question.rules.max_classes, seed)
    begun, best, replays, interrupt = time.monotonic(), start, 0, InterruptConfirmed(INTERRUPTED)
    with interrupt:
        while not interrupt.warned and time.monotonic() - begun < seconds:
            table = steps.after(best.table)
            if table is None:
                break
            candidate = measured(question, workloads, table)
            replays += 1
            if candidate.score <= best.score and candidate.is_allowed():
                best = candidate
            watch(best, replays)
    return Search(best, replays, time.monotonic() - begun, seed, interrupt.warned)


class Steps:
    """Random steps from table to table within the rules; no table is proposed twice."""

    TRIES = 1000
    """Number of random steps after which the search gives up finding a new table."""

    def __init__(self, objective: Objective, max_classes: int, seed: int) -> None:
        self.sizes: list[int] = objective.candidates.sizes.tolist()
        self.first: list[int] = objective.candidates.first.tolist()
        # Index in the grid of the smallest size that is enough for every small request.
        self.last_used = int((objective.below < objective.below[:, -1:]).any(axis=0).sum())
        self.max_classes = max_classes
        self.random = random.Random(seed)
        self.tried: set[tuple[int, ...]] = set()

    def after(self, table: Sequence[int]) -> tuple[int, ...] | None:
        """Return a new table that differs from `table` in one class, or None if none is found."""
        chosen = [bisect_left(self.sizes, size) for size in table]
        self.tried.add((*table,))
        for _ in range(self.TRIES):
            changed = self._changed(chosen)
            new = tuple(self.sizes[index] for index in changed)
            if new not in self.tried and self.is_valid(changed):
                self.tried.add(new)
                return new
        return None

    def is_valid(self, chosen: Sequence[int]) -> bool:
        """Return whether classes satisfy the rules; `chosen` has their indices in the grid."""
        if len(chosen) > self.max_classes or [*chosen[-1:]] != [len(self.sizes) - 1]:
            return False
        return all(
            self.first[index] <= before
            for before, index in zip([-1, *chosen], chosen, strict=False)
        )

    def _changed(self, chosen: Sequence[int]) -> list[int]:
        """Return the classes after a random step.

        The step picks a class in use, and drops it, moves it, or splits it. A split adds a class
        that takes over the smaller requests of the class that was picked.
        """
        position = self.random.randint(0, bisect_left(chosen, self.last_used))
        index, before = chosen[position], chosen[position - 1] if position else -1
        step = self.random.choice(("drop", "split", "move"))
        if step == "split":
            return sorted({*chosen, self.random.randint(before + 1, index)})
        rest = {*chosen} - {index}
        if step == "move":
            rest.add(index + self.random.randint(-MAX_SHIFT, MAX_SHIFT))
        return sorted(rest & {*range(len(self.sizes))})
