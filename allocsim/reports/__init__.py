"""Reports: a result for people (screen, Markdown) and for machines (JSON, CSV).

No report computes figures of its own. A figure has the same name and value on the screen, in
Markdown, in JSON and in CSV.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from allocsim.events import Trace
from allocsim.profile import Profile


@dataclass(frozen=True)
class Result:
    """One run: the workload, the design and its settings, and the measurements."""

    trace: Trace
    profile: Profile
    design: str
    parameters: Mapping[str, int | str]
    command: str
    """The command line that repeats the run."""
