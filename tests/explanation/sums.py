"""Check that owned and unowned bytes sum to the footprint, at two moments and in every grouping.

An owner is a group of live objects. It owns the bytes of these objects and a share of the free
bytes around them (see `explanation.owners`).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from allocsim.benchmark.comparison import Conditions
from allocsim.events import Trace
from allocsim.explanation.labels import MAKERS, label
from allocsim.explanation.lives import read_lives
from allocsim.explanation.owners import owners_by, parts_of
from allocsim.explanation.shares import share_out
from allocsim.explanation.subject import Subject, subject_called
from allocsim.moments import event_at
from allocsim.workloads import open_workload

SAMPLES = Path(__file__).parents[1] / "traces" / "samples"

BUNDLED = (
    *("fragmentation-trap", "phase-change", "producer-consumer", "random", "server"),
    *("sizeclass", "sqlite-orders", "sqlite-steady"),
)

RECORDED = (
    *("apt.valgrind.gz", "calls.glibc-mtrace.gz", "git.logalloc.gz", "git.lttng.gz"),
    *("indexer.go-trace.gz", "ls.heaptrack.zst", "memray-default.bin", "python.mtrace.gz"),
    *("shell.logalloc.gz", "sqlite.csapp.gz", "sqlite.glibc-mtrace.gz", "sqlite.malloc-bench.gz"),
)

WORKLOADS = (*BUNDLED, *(str(SAMPLES / name) for name in RECORDED))
"""Twenty workloads: generated ones, and recordings in many formats."""

DESIGNS = ("go2008", "tcmalloc", "go", "glibc")

LIBRARIES = ("lib:glibc", "lib:jemalloc", "lib:tcmalloc", "lib:mimalloc")


class Checked(NamedTuple):
    """The result of `check_sums`."""

    maps: int
    """Number of heap maps that were checked: 1 if the worst moment is the end, otherwise 2."""
    cautions: list[str]
    """Warnings about figures that are not exact."""


def check_sums(workload: str, subject: str) -> Checked:
    """Replay a workload and check the sums at the worst moment and at the end.

    Raises Corruption or AssertionError if a sum is not the footprint.
    """

    def opened() -> Trace:
        """Open the workload."""
        return open_workload(workload)

    where = subject_called(subject, opened, Conditions(timeout=600))
    moments = where.moments()
    events = {event_at(moments, name) for name in ("worst", "end")}
    for event in events:
        _check_map(where, opened(), event)
    return Checked(len(events), [*where.cautions])


def _check_map(where: Subject, trace: Trace, event: int) -> None:
    """Check the sums in every grouping after `event` events of the trace."""
    heap = where.map_at(event)
    shares = share_out(heap)
    with trace:
        lives = read_lives(trace, event, int(heap.number.max(initial=-1)) + 1)
    assert sum(parts_of(heap, shares).values()) == heap.footprint
    for by in MAKERS:
        rows = owners_by(heap, shares, label(by, heap, lives))  # raises if the sum is wrong
        assert sum(row.objects for row in rows) == len(heap.number)
        assert all(row.only <= row.owned <= row.some for row in rows)
