"""The input of `allocsim tune`: the design, its settings, and values derived from them.

The result of tuning is a table: the object sizes of the design's size classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from allocsim.core.class_rules import ClassRules
from allocsim.designs import Design, find_design
from allocsim.designs.table_parameter import KEY
from allocsim.errors import InputError
from allocsim.heap import RESERVE
from allocsim.tuning.objective import Candidates, Objective
from allocsim.tuning.replayer import Replayed, Replayer
from allocsim.tuning.workload import Workload, weights

DEFAULTS = {"startup": "none", "direct": "1"}
"""Settings for designs that have these parameters, unless the user sets them. The heap starts
empty, because the objects of any other startup state would be in classes of the table under test,
and would change its figures. Frees take effect at once, because objects that wait for Go's garbage
collector take more memory than any table saves."""

FLOOR = 0.25
"""Default of --floor: the maximum rounding of an object, as a share of its allocated size. Rounding
of up to 15 bytes is always allowed (see `objective.MIN_FLOOR`). The default costs two fifths of
the gain on the workloads that are tuned for, and prevents tables that are far worse for other
workloads."""


@dataclass(frozen=True)
class Question:
    """The design, its settings and the limits of the table."""

    design_name: str
    settings: Mapping[str, Any]
    """Parameters of the design, as the user gave them."""
    floor: float | None = FLOOR
    """Value of --floor (see FLOOR). None means no limit."""
    reserve: int = RESERVE
    """Address space of each heap, in bytes."""

    def __post_init__(self) -> None:
        """Raise InputError if the design's table cannot be replaced, or a setting is invalid."""
        self.design.require_class_rules()
        if KEY in self.settings:
            raise InputError(f"tune finds a table itself; {KEY} cannot be set")
        self.design.checked(self.all_settings)

    @cached_property
    def design(self) -> Design:
        """The design."""
        return find_design(self.design_name)

    @property
    def rules(self) -> ClassRules:
        """The rules of the design's tables."""
        return self.design.require_class_rules()

    @cached_property
    def all_settings(self) -> dict[str, Any]:
        """The user's settings, and those of DEFAULTS that the user has not given."""
        defaults = {key: DEFAULTS[key] for key in DEFAULTS if key in self.design.parameters}
        return defaults | dict(self.settings)

    @cached_property
    def parameters(self) -> dict[str, int]:
        """All parameters of the design, checked."""
        return self.design.checked(self.all_settings)

    @cached_property
    def own_table(self) -> tuple[int, ...]:
        """The sizes of the design's own table."""
        return (*self.rules.own(self.parameters),)

    @cached_property
    def candidates(self) -> Candidates:
        """The sizes that a class may have."""
        return Candidates.of(self.rules, self.parameters, self.floor)

    @cached_property
    def replayer(self) -> Replayer:
        """Replays workloads on the design with these settings."""
        return Replayer(self.design_name, self.all_settings, self.reserve)


@dataclass(frozen=True)
class MeasuredWorkload:
    """A workload, the weights of its sizes, and its replay under the current table (`now`)."""

    workload: Workload
    weights: np.ndarray
    now: Replayed

    @classmethod
    def of(cls, question: Question, workload: Workload) -> MeasuredWorkload:
        """Count the sizes of a workload and replay it under the current table."""
        counted = weights(workload, question.rules, question.own_table)
        return cls(workload, counted, question.replayer.replay(workload, None))


def objective_of(question: Question, workloads: Sequence[MeasuredWorkload]) -> Objective:
    """Return the objective for these workloads, with the default charge (`objective.CHARGE`)."""
    counted = [(each.weights, each.workload.peak_live) for each in workloads]
    return Objective.of(question.candidates, counted)
