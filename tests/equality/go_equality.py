"""Comparison of the design go with the real runtime: addresses, and the state at checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from allocsim.designs.go import DESIGN
from allocsim.events import Op
from allocsim.heap import Heap
from tests.equality import go_model
from tests.equality.go_runtime import COLUMNS, Build, Recording, Running, record

NO_GOAL = (1 << 63) - 1


@dataclass(frozen=True)
class GoEquality:
    """The results of the runtime and of the design for the same events."""

    real: Recording
    addresses: np.ndarray
    """The addresses of the design, as in Recording."""
    rows: np.ndarray
    """The checkpoints of the design. Columns that are not compared have the runtime's numbers."""

    @property
    def allocations(self) -> int:
        """Addresses compared."""
        return int((self.real.addresses >= 0).sum())

    @property
    def equal_addresses(self) -> int:
        """Addresses that are equal."""
        same = self.addresses == self.real.addresses
        return int((same & (self.real.addresses >= 0)).sum())

    @property
    def equal(self) -> int:
        """Checkpoints at which all columns are equal."""
        return int((self.rows == self.real.rows).all(axis=1).sum())

    @property
    def collections(self) -> int:
        """Collections during the events."""
        return int(self.real.rows[-1, COLUMNS.index("num_gc")]) - self.real.start["num_gc"]

    def first_difference(self) -> str:
        """Describe the first difference; "" if all is equal."""
        wrong = np.flatnonzero(self.addresses != self.real.addresses)
        if len(wrong):
            event = int(wrong[0])
            there, here = self.real.addresses[event], self.addresses[event]
            return f"event {event + 1}: Go places the object at {there:#x}, the design at {here:#x}"
        rows = np.flatnonzero((self.rows != self.real.rows).any(axis=1))
        if not len(rows):
            return ""
        real, found = self.real.rows[rows[0]], self.rows[rows[0]]
        columns = np.flatnonzero(real != found)
        text = "; ".join(f"{COLUMNS[n]}: Go {real[n]:,}, design {found[n]:,}" for n in columns)
        return f"after {self.real.events[rows[0]]:,} events: {text}"


def plain_events(events: Any) -> np.ndarray:
    """Return rows of (object, size) for the replayer; calloc and memalign become malloc."""
    calls = events[events.op <= Op.FREE]
    size = np.where(calls.op == Op.FREE, -1, calls.request)
    return np.stack([calls.object.astype(np.int64), size], axis=1)


def compare_with_go(events: np.ndarray, every: int, parameters: Mapping[str, Any]) -> GoEquality:
    """Replay rows of (object, size) on the runtime and on the design.

    `parameters` are those of the design; its scavenger must be on, because the replayer cannot
    change the goals of Go's scavenger. Raises EnvironmentLacks if Go is not installed, and
    RuntimeError if it fails.
    """
    experiments = [
        "runtimefreegc" if parameters.get("freegc") else "",
        "nogreenteagc" if parameters.get("greenteagc") == 0 else "",
    ]
    objects = 1 << max(int(events[:, 0].max() if len(events) else 0).bit_length(), 12)
    build = Build(objects, ",".join(filter(None, experiments)))
    values = DESIGN.checked(parameters)
    real = record(events, every, values, build, Running(scavenging=values["scavenger"]))
    with Heap("go", **parameters) as heap:
        return _replayed(heap, events, real)


def _replayed(heap: Heap, events: np.ndarray, real: Recording) -> GoEquality:
    """Bring the design into the runtime's initial state, then replay the events on it."""
    go_model.start(heap.state, real)
    addresses = np.zeros(len(events), np.int64)
    objects = np.zeros(int(events[:, 0].max()) + 1, np.int64)
    rows, begin = [], 0
    for stop in real.events.tolist():
        part = slice(begin, stop)
        go_model.replay(heap.state, events[part], real.changes[part], objects, addresses[part])
        rows.append(go_model.row(heap.state))
        begin = stop
    relative = addresses - int(heap.state.mheap[0].start)
    relative[(addresses == 0) | (addresses == int(heap.state.system[0].limit))] = -1
    goals = heap.state.gc_controller[0].heap_goal != NO_GOAL
    return GoEquality(real, relative, _comparable(np.array(rows), real.rows, goals))


def _comparable(rows: np.ndarray, real: np.ndarray, goals: bool) -> np.ndarray:
    """Return the design's rows, with the runtime's numbers in columns that are not compared.

    `goals` says whether the pacer has a heap goal. If not, goal and trigger are not compared.
    """
    names = {name: number for number, name in enumerate(COLUMNS)}
    rows = rows.copy()
    same = ["last_goal", "huge_page", "total_alloc"]
    same += [] if goals else ["heap_goal", "trigger"]
    for name in same:
        rows[:, names[name]] = real[:, names[name]]
    for name in ("scavenge_goal", "limit_goal"):
        goal = rows[:, names[name]]
        goal[goal == NO_GOAL] = -1
    empty = rows[:, names["cache"]] == 0
    rows[empty, names["cache_base"]] = real[empty, names["cache_base"]]
    for name in ("cursor", "free_hwm", "forced"):
        outside = real[:, names[name]] >= real[:, 0] * 512
        rows[outside & (rows[:, names[name]] == -1), names[name]] = real[outside, names[name]][:1]
    return rows
