"""Propose tables of size classes for workloads.

The objective of a table estimates how many bytes are in spans when the workloads are replayed under
the table. It includes a charge for each class in use (see `objective`). For each of several
charges, the table that minimises the objective is proposed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from allocsim.tuning.objective import CHARGE
from allocsim.tuning.optimum import best_table
from allocsim.tuning.question import MeasuredWorkload, Question, objective_of
from allocsim.tuning.replayer import Replayed

CHARGES = (CHARGE, 0.25, 1.0, 2.0)
"""Charges, in spans for each class in use. For each charge, a table is proposed."""

TOLERANCE = 0.005
"""Maximum share by which a table may increase a workload's bytes in spans. A table that exceeds
this share for one of the workloads is not chosen."""

Watch = Callable[[str], None]
"""Called with a phrase for the current step."""


@dataclass(frozen=True)
class Candidate:
    """A table and its replays."""

    table: tuple[int, ...]
    """Object sizes in bytes, ascending."""
    replayed: tuple[Replayed, ...]
    """One replay for each workload."""
    score: float
    """Bytes in spans relative to the current table: the mean over the workloads."""
    worst: float
    """Bytes in spans relative to the current table: the maximum over the workloads."""
    charge: float | None = None
    """The charge for which the table minimises the objective. None for other tables."""

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
    """Return the table that minimises the objective for a charge."""
    objective = replace(objective_of(question, workloads), charge=charge)
    return best_table(objective, question.rules.max_classes).table


def proposals(
    question: Question, workloads: Sequence[MeasuredWorkload], watch: Watch
) -> list[Candidate]:
    """For each of CHARGES, return the table that minimises the objective, with its replays."""
    candidates = []
    for charge in CHARGES:
        cost = f"{charge:g} x the bytes of a span"
        watch(f"replaying the table that is best if each class in use costs {cost}")
        candidates.append(
            measured(question, workloads, optimal(question, workloads, charge), charge)
        )
    return candidates
