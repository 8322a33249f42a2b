"""Comparison of the design glibc with the library of this machine, address by address.

The same events are replayed on the library, in a fresh process (`glibc_places`), and on the design.
The comparison covers the fields of mallinfo2 at every checkpoint, the place and the head of each
event's object, and the output of malloc_info at the end. The head is the word before the object.
The place is the object's offset in an arena or a mapping (see `glibc_places.replay_places`).
scripts/verify-glibc and the tests use this module.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from allocsim.designs.glibc import address_space
from allocsim.designs.glibc.address_space import LISTS
from allocsim.designs.glibc.chunks import MINSIZE, PAGE, align_up, request2size
from allocsim.designs.glibc.records import Glibc, Kind
from allocsim.designs.glibc.state import PARAMETERS, REGION
from allocsim.errors import EnvironmentLacks
from allocsim.events import Op
from allocsim.heap import Heap
from allocsim.libraries.counters import MALLINFO
from allocsim.libraries.environment import child_environment, host_of
from allocsim.libraries.versions import describe_libraries
from allocsim.text import counted
from tests.equality.glibc_places import Log, checkpoints

MODELLED = "2.36"
"""The version that the library must report; other versions have other rules."""

EVERY = 1000
"""Events between two checkpoints."""

OWN = ("cores", "startup", "start_page", "no_dyn_threshold")
"""Parameters of the design that are not tunables."""


@dataclass(frozen=True)
class Replayed:
    """The result of a replay of events."""

    rows: np.ndarray
    """The fields of mallinfo2 at each checkpoint, as an array of `glibc_places.ROW`."""
    places: np.ndarray
    """For each event, the place and the head of its object, and the start of the object's mapping.

    They are 0 if the event has no object; the last is also 0 if the object has no mapping."""
    info: dict[str, int] = field(default_factory=dict)
    """The output of malloc_info at the end, for each arena."""


@dataclass(frozen=True)
class Equality:
    """The results of the library and of the design for the same events."""

    real: Replayed
    simulated: Replayed

    @property
    def checkpoints(self) -> int:
        """Number of checkpoints compared."""
        return len(self.real.rows)

    @property
    def equal(self) -> int:
        """Number of checkpoints at which all fields are equal."""
        return int((self.real.rows == self.simulated.rows).sum())

    @property
    def places(self) -> int:
        """Number of objects whose places are compared."""
        return int(np.count_nonzero(self.real.places[:, 1]))

    @cached_property
    def differing(self) -> np.ndarray:
        """The events whose objects have different places or heads."""
        different = self.real.places[:, :2] != self.simulated.places[:, :2]
        return np.flatnonzero(different.any(axis=1))

    @property
    def equal_places(self) -> int:
        """Number of objects with equal places and heads."""
        return self.places - len(self.differing)

    @property
    def has_equal_info(self) -> bool:
        """Whether malloc_info prints the same at the end."""
        return self.real.info == self.simulated.info

    def first_difference(self) -> str:
        """Describe the first difference (an object, a checkpoint, malloc_info), or return ""."""
        if len(self.differing):
            index = int(self.differing[0])
            real, simulated = self.real.places[index], self.simulated.places[index]
            return (
                f"event {index + 1:,}: library at {real[0]:#x} (head {real[1]:#x}), "
                f"design at {simulated[0]:#x} (head {simulated[1]:#x})"
            )
        rows = np.flatnonzero(self.real.rows != self.simulated.rows)
        if not len(rows):
            return self._different_info()
        real, simulated = self.real.rows[rows[0]], self.simulated.rows[rows[0]]
        differences = [
            f"{name}: library {real[name]:,}, design {simulated[name]:,}"
            for name in MALLINFO
            if real[name] != simulated[name]
        ]
        return f"after {counted(real['event'], 'event')}: " + "; ".join(differences)

    def _different_info(self) -> str:
        """Describe the counters of malloc_info that differ; return "" if all are equal."""
        real, simulated = self.real.info, self.simulated.info
        return "; ".join(
            f"malloc_info {name}: library {real.get(name)}, design {simulated.get(name)}"
            for name in {**real, **simulated}
            if real.get(name) != simulated.get(name)
        )


def require_modelled_library() -> None:
    """Raise EnvironmentLacks if the version of glibc is not MODELLED, or if there is no host.

    The host is the library that Python itself uses during a replay on glibc (see `host_of`).
    """
    found = describe_libraries()["glibc"]
    if not found.startswith(MODELLED):
        raise EnvironmentLacks(f"the design glibc models glibc {MODELLED}; installed: {found}")
    if host_of("glibc") is None:
        raise EnvironmentLacks(
            "neither mimalloc nor jemalloc is installed; Python must run on one of them"
        )


def compare_with_library(events: Any, every: int = EVERY, **parameters: int) -> Equality:
    """Replay `events`, the first of which allocates, on the library and on the design.

    Raises EnvironmentLacks if the library fails.
    """
    real, brk = _replay_on_library(events, every, parameters)
    place = {"start_page": brk % REGION // PAGE}
    simulated = replay_on_design(events, every, {**place, **parameters}, real.places[:, 2])
    return Equality(real, simulated)


def tunables(parameters: dict[str, int]) -> str:
    """Return the parameters as the value of GLIBC_TUNABLES."""
    assert set(parameters) <= set(PARAMETERS)
    return ":".join(
        f"glibc.malloc.{name}={value}" for name, value in parameters.items() if name not in OWN
    )


def _replay_on_library(events: Any, every: int, parameters: dict[str, int]) -> tuple[Replayed, int]:
    """Return the library's result, and the program break before the first event."""
    environment = dict(child_environment("glibc"))
    environment["GLIBC_TUNABLES"] += ":" + tunables(parameters) if parameters else ""
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory) / "events.npy", Path(directory) / "rows.npz"
        np.save(source, np.ascontiguousarray(events).view(np.uint8))
        command = [sys.executable, "-m", "tests.equality.glibc_places"]
        child = subprocess.run(
            [*command, str(source), str(target), str(every)],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if child.returncode != 0:
            raise EnvironmentLacks(f"glibc: {''.join(child.stderr.splitlines()[-1:])}")
        with np.load(target) as result:
            info = dict(zip(result["names"].tolist(), result["values"].tolist(), strict=True))
            return Replayed(result["rows"], result["places"], info), int(result["brk"])


def replay_on_design(
    events: Any, every: int, parameters: dict[str, int], mappings: np.ndarray
) -> Replayed:
    """Return the result of the design. `mappings` are the addresses of the library's mappings."""
    settings = {"cores": os.cpu_count() or 1, **parameters}
    with Heap("glibc", **settings) as heap:
        log = Log(heap.state, events, heap.memory.address)

        def step(part: Any) -> None:
            """Replay a slice. A memalign whose object gets a mapping is replayed on its own."""
            starts = mappings[log.done : log.done + len(part)]
            alone = (part.op == Op.MEMALIGN) & (part.alignment > 12) & (starts != 0)
            for run in np.split(np.arange(len(part)), np.flatnonzero(alone | np.roll(alone, 1))):
                if len(run) and alone[run[0]]:
                    with _next_mapping_at(heap.state, part[run[0]], int(starts[run[0]])):
                        log.replay(part[run[0] : run[-1] + 1])
                elif len(run):
                    log.replay(part[run[0] : run[-1] + 1])

        rows = checkpoints(events, every, step, heap.native_counters)
        counters = heap.native_counters()
        info = {name: value for name, value in counters.items() if name not in MALLINFO}
        return Replayed(rows, log.places, info)


@contextmanager
def _next_mapping_at(state: Glibc, event: Any, start: int) -> Iterator[None]:
    """Make the mapping of an aligned object start at `start`, modulo the alignment."""
    lists: np.ndarray = state.mapping.next[-LISTS:].copy()
    state.mapping.next[-LISTS:] = 0  # so that the mapping gets new addresses
    alignment = 1 << int(event.alignment)
    size = request2size(request2size(int(event.request)) + alignment + MINSIZE)
    skipped = (int(state.system[0].limit) - align_up(size + 8) - start) % alignment
    if skipped:
        address_space.mmap(state, skipped, Kind.STACK)
    yield
    state.mapping.next[-LISTS:] = lists
