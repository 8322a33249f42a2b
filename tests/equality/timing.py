"""Timing of one subject on one workload in a fresh process, for the benchmark scripts.

Every timed run starts with an empty heap; only the first has cold caches.
"""

from __future__ import annotations

from typing import Any

from allocsim.benchmark.comparison import Conditions, measure
from allocsim.benchmark.event_file import write_events
from allocsim.benchmark.parent import SubjectFailed
from allocsim.benchmark.subject import require_subject
from allocsim.errors import EnvironmentLacks
from allocsim.events import Trace
from allocsim.jobs import make_generator
from allocsim.libraries.find import PREFIX, require_library
from allocsim.traces import open_trace


def race(subject: str, workload: dict[str, Any], runs: int) -> list[float]:
    """Return the ns/event of each of `runs` runs in one fresh child process; the first run is cold.

    `subject` is a design, or "lib:" and a library. `workload` is the parameters of a generator, or
    {"kind": "trace", "file": ...} for a recording, which is replayed on one thread. Raises
    EnvironmentLacks if the library is not installed or the child fails.
    """
    require_subject(subject)
    if subject.startswith(PREFIX):
        require_library(subject.removeprefix(PREFIX))
    recorded = write_events(_trace(workload))
    try:
        said = measure(subject, "times", recorded, Conditions(runs=runs, warmup=0))
    except SubjectFailed as failure:
        raise EnvironmentLacks(f"{subject}: {failure}") from None
    finally:
        recorded.close()
    return said.times.runs if said.times else []


def _trace(workload: dict[str, Any]) -> Trace:
    """Return the stream of a workload."""
    if workload["kind"] == "trace":
        return open_trace(workload["file"])
    return make_generator(workload).trace("race")
