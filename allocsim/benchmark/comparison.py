"""A comparison: every subject on one workload, each in processes of its own, one after another.

Above `process`; below the reports. First the memory of each is measured, then the time, in
another process. Its one rule: a subject that fails gets a row that says how, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from allocsim.benchmark.child import Request, Said
from allocsim.benchmark.event_file import Recorded
from allocsim.benchmark.figures import Row
from allocsim.benchmark.parent import SubjectFailed, run_child
from allocsim.benchmark.subject import library_of
from allocsim.driver import Touch
from allocsim.errors import EnvironmentLacks
from allocsim.heap import RESERVE
from allocsim.libraries.find import require_library
from allocsim.player import NEVER
from allocsim.signals import interrupt_message

WIDE = 0.10
"""A spread of the runs beyond which times are too far apart to conclude from."""


@dataclass(frozen=True)
class Conditions:
    """How the subjects are measured: for all the same."""

    runs: int = 5
    warmup: int = 1
    touch: Touch = Touch.PAGE
    timeout: float = 600.0
    """Seconds that each process of a subject may take once its kernels are compiled."""
    limit: int = NEVER
    """Bytes of footprint that a subject may take."""
    reserve: int = RESERVE
    later: float = 1.0
    """Seconds after which what is kept is measured once more."""
    timed: bool = True
    """Measure times too, not only memory."""
    keep_settings: bool = False
    """Leave the user's settings of malloc libraries in the environment."""


@dataclass(frozen=True)
class Comparison:
    """All that was measured."""

    workload: Recorded
    conditions: Conditions
    rows: list[Row]
    """In the order in which the subjects were named."""


def compare(
    workload: Recorded,
    subjects: Sequence[str],
    conditions: Conditions,
    watch: Callable[[str, str], None] | None = None,
) -> Comparison:
    """Measure every subject; `watch` is told the subject and what is measured next.

    EnvironmentLacks if not one of them could run.
    """
    rows = [Row(subject=subject) for subject in subjects]
    with interrupt_message(lambda: "and every process of a subject is ended"):
        for figures in ("memory", "times")[: 1 + conditions.timed]:
            for row in rows:
                if row.failure is None:
                    if watch is not None:
                        watch(row.subject, figures)
                    _fill(row, figures, workload, conditions)
    if all(row.failure for row in rows):
        told = "; ".join(f"{row.subject}: {row.failure}" for row in rows)
        raise EnvironmentLacks(f"no subject could run: {told}")
    return Comparison(workload, conditions, rows)


def _fill(row: Row, figures: str, workload: Recorded, conditions: Conditions) -> None:
    """Measure one thing of one subject, or note why it cannot be."""
    library = library_of(row.subject)
    try:
        if library is not None:
            require_library(library)
        said = measure(row.subject, figures, workload, conditions)
    except (SubjectFailed, EnvironmentLacks) as failure:
        row.failure = str(failure)
        return
    row.about = said.about
    row.memory, row.times = row.memory or said.memory, row.times or said.times


def measure(subject: str, figures: str, workload: Recorded, conditions: Conditions) -> Said:
    """What a fresh child says of a subject's "memory" or "times"; SubjectFailed if it fails."""
    request = Request(
        subject=subject,
        measure=figures,
        events=workload.descriptor,
        answer=-1,
        touch=conditions.touch,
        limit=conditions.limit,
        reserve=conditions.reserve,
        later=conditions.later,
        runs=conditions.runs,
        warmup=conditions.warmup,
    )
    return run_child(request, conditions.timeout, conditions.keep_settings)
