"""A comparison with invented figures, for tests of reports."""

from typing import Any

from allocsim.benchmark.comparison import Comparison, Conditions
from allocsim.benchmark.event_file import EventFile
from allocsim.benchmark.figures import About, Memory, Row, Times
from allocsim.events import Trace
from allocsim.reports.comparison import Compared

MIB = 1 << 20


def memory(peak: int, **more: Any) -> Memory:
    """Return memory figures. Those that are not given follow from the peak."""
    figures: dict[str, Any] = {
        "peak": peak,
        "peak_event": 70,
        "live_at_peak": 4 * MIB,
        "end": peak - MIB,
        "live_at_end": MIB,
        "peak_live": 5 * MIB,
        "resident_peak": peak,
        "resident_end": peak - MIB,
        "started": 4096,
        "high_water": peak,
        "faults": peak // 4096,
        "kept": peak // 2,
        "kept_later": peak // 4,
    }
    return Memory(**(figures | more))


def times(*runs: float, **more: Any) -> Times:
    """Times with these runs."""
    figures: dict[str, Any] = {
        "cold": 2 * runs[0],
        "runs": list(runs),
        "batch": 64,
        "p50": runs[0] / 2,
        "p99": 3 * runs[0],
        "p999": 9 * runs[0],
        "clock": 20.0,
    }
    return Times(**(figures | more))


def rows() -> list[Row]:
    """A design, two libraries, and a library that crashed."""
    return [
        Row(subject="go2008", memory=memory(50 * MIB), times=times(20.0, 20.5, 20.2)),
        Row(
            subject="lib:glibc",
            about=About(version="2.36", path="/lib/libc.so.6", host="mimalloc"),
            memory=memory(6 * MIB),
            times=times(12.0, 12.1, 12.2),
        ),
        Row(
            subject="lib:tcmalloc",
            about=About(version="gperftools 2.10", path="/lib/libtcmalloc.so"),
            memory=memory(10 * MIB),
            times=times(8.0, 8.1, 8.2),
        ),
        Row(subject="lib:/a/b/libodd.so", failure="crashed by SIGSEGV while replaying"),
    ]


def compared(
    made: list[Row] | None = None,
    sort: str | None = None,
    reference: str = "go2008",
    conditions: Conditions | None = None,
    **workload: Any,
) -> Compared:
    """Return the comparison of some rows."""
    trace = Trace("orders", iter(()), {"kind": "trace", "format": "aosp"}, dropped={"free": 3})
    comparison = Comparison(
        EventFile(trace, -1, 82_717, **workload), conditions or Conditions(), made or rows()
    )
    return Compared(comparison, reference, sort, "allocsim compare orders")
