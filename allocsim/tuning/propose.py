"""Propose tables for workloads: an optimum of the objective for each of several charges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from allocsim.tuning.objective import CHARGE
from allocsim.tuning.optimum import best_table
from allocsim.tuning.question import MeasuredWorkload, Question, objective_of
from allocsim.tuning.replayer import Replayed

CHARGES = (CHARGE, 0.25, 1.0, 2.0)
"""Charges of the objective for which an optimum is tried, in spans for each class in use."""

TOLERANCE = 0.005
"""A table is not chosen if the bytes in spans grow by more than this share for one of the workloads
that are tuned for."""

Watch = Callable[[str], None]
"""Called with a phrase for the current step."""


@dataclass(frozen=True)
class Candidate:
    """A table and its replays."""

    table: tuple[int, ...]
    """Object sizes in bytes, ascending."""
    replayed: tuple[Replayed, ...]
    """By workload."""
    score: float
    """Bytes in spans relative to the current table: the mean over the workloads."""
    worst: float
    """Bytes in spans relative to the current table: the maximum over the workloads."""
    charge: float | None = None
    """Charge of the objective that the table minimises. None for a table that is no optimum."""

    def is_allowed(self) -> bool:
        """Return whether no workload takes much more memory than under the current table."""
        return self.worst <= 1 + TOLERANCE


def measured(
    question: Question,
    workloads: Sequence[MeasuredWorkload],
    table: tuple[int, ...],
    charge: float | None = None,
) -> Candidate:
    """Replay the workloads under a table."""
    replayed = tuple(question.replayer.replay(each.workload, table) for each in workloads)
    ratios = [
        after.in_spans / each.now.in_spans for after, each in zip(replayed, workloads, strict=True)
    ]
    return Candidate(table, replayed, fmean(ratios), max(ratios), charge)


def current(question: Question, workloads: Sequence[MeasuredWorkload]) -> Candidate:
    """Return the current table as a candidate, without replaying again."""
    return Candidate(question.own_table, tuple(each.now for each in workloads), 1.0, 1.0)


def optimal(
    question: Question, workloads: Sequence[MeasuredWorkload], charge: float = CHARGE
) -> tuple[int, ...]:
    """Return the table that minimises the objective with a charge."""
    objective = replace(objective_of(question, workloads), charge=charge)
    return best_table(objective, question.rules.max_classes).table


def proposals(
    question: Question, workloads: Sequence[MeasuredWorkload], watch: Watch
) -> list[Candidate]:
    """Return the optimum for each of CHARGES, replayed."""
    candidates = []
    for charge in CHARGES:
        watch(f"replaying the optimum for a charge of {charge:g} spans")
        candidates.append(
            measured(question, workloads, optimal(question, workloads, charge), charge)
        )
    return candidates
