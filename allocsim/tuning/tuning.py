"""Tune a table of size classes for workloads, and test it on workloads held back from the tuning.

If several workloads are given and none is held back, each workload is left out once: a table is
proposed for the others, and the workload is replayed under this table.

A proposed table minimises the objective F (see `objective`). F predicts the bytes in spans. For
each class in use, F includes a charge: by default, half the bytes of a span of that class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from allocsim.tuning.objective import Objective
from allocsim.tuning.propose import Candidate, Watch, current, measured, optimal, proposals
from allocsim.tuning.question import MeasuredWorkload, Question, objective_of
from allocsim.tuning.replayer import Replayed
from allocsim.tuning.search import Search, WatchSearch, search
from allocsim.tuning.workload import Workload


@dataclass(frozen=True)
class Row:
    """A workload, replayed under the current table and under the new one."""

    name: str
    peak_live: int
    """Bytes."""
    now: Replayed
    new: Replayed
    predicted: float | None = None
    """Change in span bytes, as F predicts it. None if the table was tuned for other workloads."""

    @property
    def change(self) -> float:
        """Change of the bytes in spans, as a share of those under the current table."""
        return self.new.in_spans / self.now.in_spans - 1


@dataclass(frozen=True)
class Tuning:
    """The table for the workloads, and its replays."""

    question: Question
    table: tuple[int, ...]
    """Object sizes in bytes, ascending; the current table if no better one was found."""
    charge: float | None
    """The charge for which the table minimises F. None for a table found in another way."""
    rows: list[Row]
    """The workloads for which the table was tuned."""
    held_back: list[Row]
    left_out: list[Row]
    """Each workload, replayed under a table for all others. Empty if workloads were held back."""
    proposals: list[Candidate]
    search: Search | None
    objective: tuple[float, float]
    """F of the current table and F of `table`, each with the default charge and summed over the
    workloads."""
    weights: list[float]
    """Number of live objects in each class of the table (see `workload`), over all workloads."""

    @property
    def is_own(self) -> bool:
        """Whether the table is the current one."""
        return self.table == self.question.own_table


def tune(
    question: Question,
    workloads: Sequence[Workload],
    held_back: Sequence[Workload],
    limits: tuple[float, int],
    watch: tuple[Watch, WatchSearch],
) -> Tuning:
    """Return the best table found for `workloads`.

    `limits` is (seconds, random seed) of the search; with 0 seconds there is no search. `watch` has
    two functions: one is called with a phrase before each step, the other with the progress of the
    search.
    """
    say, show_search = watch
    say("replaying with the current table")
    tuned = [MeasuredWorkload.of(question, each) for each in workloads]
    proposed = proposals(question, tuned, say)
    allowed = [each for each in (*proposed, current(question, tuned)) if each.is_allowed()]
    best, search_result = min(allowed, key=lambda each: each.score), None
    if limits[0]:
        search_result = search(question, tuned, best, limits, show_search)
        best = search_result.best
    say("replaying the workloads held back")
    objective = objective_of(question, tuned)
    before, after = objective.value(question.own_table), objective.value(best.table)
    predicted = [
        float(change) * each.workload.peak_live
        for change, each in zip(after - before, tuned, strict=True)
    ]
    return Tuning(
        question=question,
        table=best.table,
        charge=best.charge,
        rows=_rows(tuned, best.replayed, predicted),
        held_back=_held_back(question, held_back, best.table),
        left_out=[] if held_back or len(tuned) < 2 else _left_out(question, tuned, say),
        proposals=proposed,
        search=search_result,
        objective=(float(before.sum()), float(after.sum())),
        weights=_weights(objective, best.table),
    )


def _rows(
    workloads: Sequence[MeasuredWorkload],
    replayed: Sequence[Replayed],
    predicted: Sequence[float | None],
) -> list[Row]:
    """Return the rows of workloads with their replays under the new table."""
    return [
        Row(each.workload.name, each.workload.peak_live, each.now, new, change)
        for each, new, change in zip(workloads, replayed, predicted, strict=True)
    ]


def _held_back(
    question: Question, workloads: Sequence[Workload], table: tuple[int, ...]
) -> list[Row]:
    """Replay workloads that had no part in the tuning."""
    return [
        Row(
            each.name,
            each.peak_live,
            question.replayer.replay(each, None),
            question.replayer.replay(each, table),
        )
        for each in workloads
    ]


def _left_out(question: Question, workloads: Sequence[MeasuredWorkload], say: Watch) -> list[Row]:
    """Replay each workload under the table that minimises F for the others (default charge)."""
    rows = []
    for each in workloads:
        say(f"leaving out {each.workload.name}")
        others = [other for other in workloads if other is not each]
        table = optimal(question, others)
        rows += _rows([each], measured(question, [each], table).replayed, [None])
    return rows


def _weights(objective: Objective, table: Sequence[int]) -> list[float]:
    """Return the number of live objects in each class of a table, over all workloads."""
    chosen = np.searchsorted(objective.candidates.sizes, table)
    weights: list[float] = np.diff(objective.below[:, chosen], prepend=0.0).sum(axis=0).tolist()
    return weights
