"""One subject on one workload, timed in a process of its own.

Above `library` and the designs; `scripts/bench` and comparisons start it as
`python -m allocsim.rivals.race SUBJECT WORKLOAD RUNS` and read the JSON that it prints. The events
are made before the subject is loaded, so it is loaded last. Its one rule: a run that is timed
begins with an empty heap; only the first is cold.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import numpy as np

from allocsim.core.records import SAMPLE, HeapState
from allocsim.designs import SUMMARIES
from allocsim.errors import EnvironmentLacks
from allocsim.events import Op, Trace, no_events, on_one_thread
from allocsim.heap import Heap
from allocsim.jobs import make_generator
from allocsim.player import NEVER
from allocsim.replay import DRIVER, OBJECT, Run, Touch, replay
from allocsim.rivals.environment import child_environment
from allocsim.rivals.library import load
from allocsim.traces import open_trace


def race(subject: str, workload: dict[str, Any], runs: int) -> list[float]:
    """Nanoseconds an event of each of `runs` runs in one fresh child process, the first cold.

    `subject` is a design or a library of KNOWN, `workload` the parameters of a generator, or
    {"kind": "trace", "file": ...}, which is played on one thread. EnvironmentLacks if the child
    fails.
    """
    command = [sys.executable, "-m", __name__, subject, json.dumps(workload), str(runs)]
    environment = child_environment(None if subject in SUMMARIES else subject)
    child = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if child.returncode != 0:
        raise EnvironmentLacks(f"{subject}: {child.stderr.strip().splitlines()[-1:]}")
    times: list[float] = json.loads(child.stdout)
    return times


def _timed(subject: str, workload: dict[str, Any], runs: int) -> list[float]:
    """The child's part: make the events, load the subject, play."""
    events = np.concatenate([chunk.copy() for chunk in _trace(workload).chunks]).view(np.recarray)
    run = Run(*(np.zeros(n, r).view(np.recarray) for r, n in _records(events)))
    run.objects.fill(0)  # touches the driver's own pages before the clock runs
    driver = run.driver[0]
    driver.limit = driver.next_sample = driver.next_check = driver.due = NEVER
    driver.touch = Touch.PAGE
    heap = _state(subject)
    replay(heap, run, no_events(), 0)
    times = []
    for _ in range(runs):
        _play(heap, run, _frees(run))
        begun = time.perf_counter()
        _play(heap, run, events)
        times.append((time.perf_counter() - begun) * 1e9 / len(events))
    return times


def _trace(workload: dict[str, Any]) -> Trace:
    """The stream of a workload."""
    if workload["kind"] == "trace":
        return on_one_thread(open_trace(workload["file"]))
    return make_generator(workload).trace("race")


def _records(events: Any) -> list[tuple[np.dtype[Any], int]]:
    """What a Run holds: record and count of each field."""
    objects = int(events.object.max()) + 1
    return [(DRIVER, 1), (OBJECT, objects), (SAMPLE, 1), (SAMPLE, 1)]


def _state(subject: str) -> HeapState:
    """The heap of a design, or a library; kept alive by the process's end."""
    if subject not in SUMMARIES:
        return load(subject).state
    _KEPT.append(Heap(subject))
    return _KEPT[-1].state


_KEPT: list[Heap] = []


def _frees(run: Run) -> Any:
    """Events that free all that is live."""
    live = np.flatnonzero(run.objects.address)
    events = no_events(len(live))
    events.object[:] = live
    events.op[:] = Op.FREE
    return events


def _play(heap: HeapState, run: Run, events: Any) -> None:
    """Play all events; RuntimeError if the subject fails one."""
    if replay(heap, run, events, 0) != len(events):
        raise RuntimeError(f"stopped for {run.driver[0].stop} after {run.driver[0].events} events")


if __name__ == "__main__":
    print(json.dumps(_timed(sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]))))  # noqa: T201
