"""Propose a table for workloads: optima of the objective, of which the replay chooses one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from allocsim.tune.judge import Replayed
from allocsim.tune.objective import CHARGE
from allocsim.tune.optimum import best_table
from allocsim.tune.question import Judged, Question, objective_of

CHARGES = (CHARGE, 0.25, 1.0, 2.0)
"""Charges of the objective for which an optimum is tried, in spans for each class in use."""

TOLERANCE = 0.005
"""Maximum growth of the bytes in spans of a workload that is tuned for, as a share. A table that
exceeds it is not chosen."""

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
    """Bytes in spans relative to today's table: the mean over the workloads."""
    worst: float
    """The maximum over the workloads."""
    charge: float | None = None
    """Charge of the objective that the table minimises; None if it minimises none."""

    def is_allowed(self) -> bool:
        """Return whether no workload takes much more than under today's table."""
        return self.worst <= 1 + TOLERANCE


def judged(
    question: Question,
    workloads: Sequence[Judged],
    table: tuple[int, ...],
    charge: float | None = None,
) -> Candidate:
    """Replay the workloads under a table."""
    replayed = tuple(question.judge.replay(each.workload, table) for each in workloads)
    ratios = [
        after.in_spans / each.now.in_spans for after, each in zip(replayed, workloads, strict=True)
    ]
    return Candidate(table, replayed, fmean(ratios), max(ratios), charge)


def todays(question: Question, workloads: Sequence[Judged]) -> Candidate:
    """Return today's table as a candidate, with the replays that exist already."""
    return Candidate(question.own, tuple(each.now for each in workloads), 1.0, 1.0)


def optimal(
    question: Question, workloads: Sequence[Judged], charge: float = CHARGE
) -> tuple[int, ...]:
    """Return the table that minimises the objective with a charge."""
    objective = replace(objective_of(question, workloads), charge=charge)
    return best_table(objective, question.rules.max_classes).table


def proposals(question: Question, workloads: Sequence[Judged], watch: Watch) -> list[Candidate]:
    """Return the optimum for each of CHARGES, replayed."""
    found = []
    for charge in CHARGES:
        watch(f"replaying the optimum for a charge of {charge:g} spans")
        found.append(judged(question, workloads, optimal(question, workloads, charge), charge))
    return found
