"""The question that `explain` answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from allocsim.moments import Choice

SECONDS = 10.0
"""Default of `Question.seconds`."""


@dataclass(frozen=True)
class Question:
    """The moment to explain, the groupings of objects, and the experiments."""

    at: Choice = "worst"
    """The moment to explain."""
    by: Sequence[str] = ()
    """The groupings of the owners: "site" or keys of `labels.MAKERS`. Default: call site and size
    if call sites are known, else size and lifetime."""
    what_if: Sequence[str] = ()
    """Names of groups to experiment with. If empty: the largest owner of the first grouping."""
    seconds: float = SECONDS
    """Seconds after which no experiment is started; 0 for no experiments."""
    stacks: bool = False
    """Whether to compute the owners by stack too. With many different stacks, this takes long."""
    pictures: bool = False
    """Whether to collect the evidence for pictures, which takes another replay."""
    skip_unknown: bool = False
    """Whether to skip a name in `what_if` that no group has. Otherwise, it is an error."""
