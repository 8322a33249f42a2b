"""Comparison of the design tcmalloc with the installed library, counter by counter.

The same events are replayed on the library, loaded by dlopen in a fresh process (`checkpoints`),
and on the design. At an equal checkpoint, all counters are the same, and so are the addresses of
all live objects relative to the first object. Used by scripts/verify-tcmalloc and by the tests.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from allocsim.designs.tcmalloc.pagemap import LEAF_ROWS
from allocsim.designs.tcmalloc.size_classes import PAGE
from allocsim.errors import EnvironmentLacks
from allocsim.heap import Heap
from allocsim.libraries.environment import child_environment
from allocsim.libraries.versions import describe_libraries
from allocsim.text import counted
from tests.equality.checkpoints import COUNTERS, ROW, quiet_run, replay_all, row, slices

MODELLED = "gperftools 2.10"
"""The version that the library must report; other versions have other rules."""

EVERY = 1000
"""Events between two checkpoints."""


@dataclass(frozen=True)
class Equality:
    """Checkpoints of the library and the design for one stream of events."""

    real: np.ndarray
    """Checkpoints of the library, as an array of ROW."""
    simulated: np.ndarray
    """Checkpoints of the design after the same events, as an array of ROW."""

    @property
    def checkpoints(self) -> int:
        """Number of checkpoints compared."""
        return len(self.real)

    @property
    def equal(self) -> int:
        """Number of checkpoints at which everything is equal."""
        return int((self.real == self.simulated).sum())

    def first_difference(self) -> str:
        """Describe the first checkpoint that differs; return "" if all are equal."""
        differing = np.flatnonzero(self.real != self.simulated)
        if not len(differing):
            return ""
        real, simulated = self.real[differing[0]], self.simulated[differing[0]]
        differences = [
            f"{name}: library {real[name]:,}, design {simulated[name]:,}"
            for name in (*COUNTERS, "places")
            if real[name] != simulated[name]
        ]
        return f"after {counted(real['event'], 'event')}: " + "; ".join(differences)


def require_modelled_library() -> None:
    """Raise EnvironmentLacks unless the installed tcmalloc is of the version that is modelled."""
    found = describe_libraries()["tcmalloc"]
    if not found.startswith(MODELLED):
        raise EnvironmentLacks(f"the design tcmalloc models {MODELLED}; installed: {found}")


def compare_with_library(events: Any, every: int = EVERY, **parameters: int) -> Equality:
    """Replay `events`, the first of which allocates, on the library and on the design.

    Raises EnvironmentLacks if the library is not installed or fails.
    """
    real, first = _library_rows(events, every, parameters)
    return Equality(real, _design_rows(events, every, first, parameters))


def _library_rows(events: Any, every: int, parameters: dict[str, int]) -> tuple[np.ndarray, int]:
    """Return the checkpoints of the library and the address of its first object."""
    settings = {f"TCMALLOC_{name.upper()}": str(value) for name, value in parameters.items()}
    environment = {**child_environment("tcmalloc"), **settings}
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory) / "events.npy", Path(directory) / "rows.npz"
        np.save(source, np.ascontiguousarray(events).view(np.uint8))
        command = [sys.executable, "-m", "tests.equality.checkpoints"]
        child = subprocess.run(
            [*command, str(source), str(target), str(every)],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if child.returncode != 0:
            raise EnvironmentLacks(f"tcmalloc: {''.join(child.stderr.splitlines()[-1:])}")
        with np.load(target) as result:
            return result["rows"], int(result["first"])


def _design_rows(
    events: Any, every: int, first_real: int, parameters: dict[str, int]
) -> np.ndarray:
    """Return the checkpoints of the design.

    Its heap starts where the library's heap does, modulo 2 GiB.
    """
    with Heap("tcmalloc", startup="dlopen", **parameters) as heap:
        offset = _first_address(heap, events) - heap.memory.address
    start_page = (first_real - offset) // PAGE % LEAF_ROWS
    with Heap("tcmalloc", startup="dlopen", start_page=start_page, **parameters) as heap:
        run, rows, first = quiet_run(events), [], 0
        for start, stop in slices(len(events), every):
            replay_all(heap.state, run, events[start:stop])
            first = first or int(run.objects[events[0].object].address)
            rows.append(row(stop, heap.native_counters(), run, first))
        return np.array(rows, ROW)


def _first_address(heap: Heap, events: Any) -> int:
    """Return the address of the object that the first event allocates."""
    run = quiet_run(events)
    replay_all(heap.state, run, events[:1])
    return int(run.objects[events[0].object].address)
