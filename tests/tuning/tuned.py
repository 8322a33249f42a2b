"""A small workload on tcmalloc, and a tuning of it with invented figures."""

from dataclasses import replace
from typing import Any

from allocsim.tuning.propose import Candidate
from allocsim.tuning.question import Question
from allocsim.tuning.replayer import Replayed
from allocsim.tuning.tuning import Row, Tuning
from allocsim.tuning.workload import Workload, read_workload
from tests.driving import free, malloc, stream
from tests.playing import trace_of

MIB = 1 << 20


def workload_of(*sizes: int, name: str = "mine") -> Workload:
    """Return a workload with 20 live objects of each size at its peak, and none at its end."""
    calls = [
        (number, size) for number, size in enumerate(size for size in sizes for _ in range(20))
    ]
    events = stream(
        *(malloc(number, size) for number, size in calls), *(free(number) for number, _ in calls)
    )
    trace = trace_of(events)
    trace.name = name
    return read_workload(trace)


def replayed(in_spans: int, footprint: int) -> Replayed:
    """Return the figures of a replay, in bytes; the arguments are in MiB."""
    names = ("live", "rounding", "tail", "thread_cache", "transfer", "central")
    parts = dict.fromkeys(names, in_spans * MIB // 8)
    return Replayed(in_spans * MIB, in_spans * MIB // 2, footprint * MIB, parts)


def row(now: int = 100, new: int = 90, footprint: int = 110, name: str = "mine") -> Row:
    """Return the row of a workload, from figures in MiB.

    `now` and `new` are the bytes in spans under the current table and the new one. The footprint
    is 110 under the current table, and `footprint` under the new one.
    """
    return Row(name, 80 * MIB, replayed(now, 110), replayed(new, footprint), -5.0 * MIB)


def tuning(**fields: Any) -> Tuning:
    """Return a tuning that gains 10 MiB for one workload and 5 for one that was held back."""
    table = (16, 64, 8192, 262144)
    found = Tuning(
        question=Question("tcmalloc", {}),
        table=table,
        charge=0.5,
        rows=[row()],
        held_back=[row(new=95, name="other")],
        left_out=[],
        proposals=[Candidate(table, (), 0.9, 0.9, 0.5)],
        search=None,
        objective=(1.2, 1.1),
        weights=[3.0, 2.0, 1.0, 0.0],
    )
    return replace(found, **fields)
