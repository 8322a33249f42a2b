"""Results of small runs, for the tests of reports."""

import numpy as np

from allocsim import Heap
from allocsim.events import Trace
from allocsim.generators.random import Random
from allocsim.generators.sizes import LogUniform
from allocsim.player import Options, replay_trace
from allocsim.quantities import Size
from allocsim.reports import Result
from tests.conftest import RESERVE


def small_result(ops: int = 120, trace: Trace | None = None) -> Result:
    """Some random events on go2008."""
    law = LogUniform(max=Size(100_000))
    played = trace or Random(ops=ops, slots=20, size=law).trace("random")
    with Heap(reserve=RESERVE) as heap:
        profile = replay_trace(heap, played, Options(every=10))
    return Result(played, profile, "go2008", {}, "allocsim random --ops 120")


def empty_result() -> Result:
    """A run without an event."""
    return small_result(trace=Trace("nothing", iter(()), {"kind": "trace"}))


def plain(samples: np.ndarray) -> list[list[int]]:
    """Samples as lists of Python integers."""
    return [list(row) for row in samples.tolist()]
