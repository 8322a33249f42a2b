"""The proof that the simulated tcmalloc is the real one: all counters, at every checkpoint.

Above `checkpoints`, which it starts in a fresh process; used by scripts/verify-tcmalloc and by the
tests. The same events go through the installed library, as dlopen brings it, and through the
design. Its one rule: equal means the same number, for every counter and for the place of every
live object.
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
from tests.equality.checkpoints import COUNTERS, ROW, cuts, play_all, quiet_run, row

PROVED = "gperftools 2.10"
"""What the library must say of its version: others count in other ways."""

EVERY = 1000
"""Events between two checkpoints."""


@dataclass(frozen=True)
class Equality:
    """How a design and the library compare on one stream of events."""

    real: np.ndarray
    """ROWs of the library."""
    simulated: np.ndarray
    """ROWs of the design, of the same events."""

    @property
    def checkpoints(self) -> int:
        """Checkpoints compared."""
        return len(self.real)

    @property
    def equal(self) -> int:
        """Checkpoints at which everything is equal."""
        return int((self.real == self.simulated).sum())

    def first_difference(self) -> str:
        """The first checkpoint that differs, counter by counter; empty if there is none."""
        differing = np.flatnonzero(self.real != self.simulated)
        if not len(differing):
            return ""
        real, simulated = self.real[differing[0]], self.simulated[differing[0]]
        said = [
            f"{name}: library {real[name]:,}, design {simulated[name]:,}"
            for name in (*COUNTERS, "places")
            if real[name] != simulated[name]
        ]
        return f"after {counted(real['event'], 'event')}: " + "; ".join(said)


def require_proved_library() -> None:
    """EnvironmentLacks unless the tcmalloc of this machine is of the version that the design is."""
    found = describe_libraries()["tcmalloc"]
    if not found.startswith(PROVED):
        raise EnvironmentLacks(f"the design tcmalloc is {PROVED}; of the library: {found}")


def compare_with_library(events: Any, every: int = EVERY, **parameters: int) -> Equality:
    """Play `events`, the first of which allocates, on both sides; EnvironmentLacks without one."""
    real, first = _counted_by_library(events, every, parameters)
    return Equality(real, _counted_by_design(events, every, first, parameters))


def _counted_by_library(
    events: Any, every: int, parameters: dict[str, int]
) -> tuple[np.ndarray, int]:
    """What the library counts, and the address of its first object."""
    settings = {f"TCMALLOC_{name.upper()}": str(value) for name, value in parameters.items()}
    environment = {**child_environment("tcmalloc"), **settings}
    with tempfile.TemporaryDirectory() as place:
        source, target = Path(place) / "events.npy", Path(place) / "counted.npz"
        np.save(source, np.ascontiguousarray(events).view(np.uint8))
        command = [sys.executable, "-m", "tests.equality.checkpoints"]
        child = subprocess.run(
            [*command, str(source), str(target), str(every)],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if child.returncode != 0:
            raise EnvironmentLacks(f"tcmalloc: {''.join(child.stderr.splitlines()[-1:])}")
        with np.load(target) as counted:
            return counted["rows"], int(counted["first"])


def _counted_by_design(
    events: Any, every: int, first_real: int, parameters: dict[str, int]
) -> np.ndarray:
    """What the design counts, its heap placed where the library's lies among the 2 GiB regions."""
    with Heap("tcmalloc", startup="dlopen", **parameters) as heap:
        offset = _first_address(heap, events) - heap.memory.address
    start_page = (first_real - offset) // PAGE % LEAF_ROWS
    with Heap("tcmalloc", startup="dlopen", start_page=start_page, **parameters) as heap:
        run, rows, first = quiet_run(events), [], 0
        for start, stop in cuts(len(events), every):
            play_all(heap.state, run, events[start:stop])
            first = first or int(run.objects[events[0].object].address)
            rows.append(row(stop, heap.native_counters(), run, first))
        return np.array(rows, ROW)


def _first_address(heap: Heap, events: Any) -> int:
    """The address of the object of the first event."""
    run = quiet_run(events)
    play_all(heap.state, run, events[:1])
    return int(run.objects[events[0].object].address)
