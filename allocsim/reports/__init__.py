"""Reports: a result for people (screen, Markdown) and for machines (JSON, CSV).

Above the profile, below the command line. Compute, then render, never both: a Result holds all
there is to show. Its one rule: a figure has the same name and value in every report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from allocsim.events import Trace
from allocsim.profile import Profile


@dataclass(frozen=True)
class Result:
    """One run: what was played, on what, and what was measured."""

    trace: Trace
    profile: Profile
    design: str
    parameters: Mapping[str, int | str]
    command: str
    """The command line."""
