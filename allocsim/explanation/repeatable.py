"""Make a workload readable several times, because `explain` replays it several times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from allocsim.core.available_memory import available_memory
from allocsim.errors import EnvironmentLacks
from allocsim.events import Trace


def repeatable(trace: Trace) -> Callable[[], Trace]:
    """Close `trace` and return a function that opens the same workload again.

    The events of a trace that can be read only once are kept in memory. Raises EnvironmentLacks if
    they would take more than half of the available memory.
    """
    if trace.reopen is not None:
        trace.close()
        return trace.reopen
    chunks, size, room = [], 0, available_memory() // 2
    with trace:
        for chunk in trace.chunks:
            chunks.append(np.array(chunk).view(np.recarray))
            size += chunk.nbytes
            if size > room:
                raise EnvironmentLacks(
                    f"'{trace.name}' can be read only once and does not fit in memory; write it "
                    "to a file first"
                )
    return lambda: replace(trace, chunks=iter(chunks), resource=None)
