"""Invented cells and rows of a sweep: a cell is one measurement, a row is its result."""

from pathlib import Path

from msgspec.structs import replace

from allocsim import __version__
from allocsim.sweep.cell import Cell
from allocsim.sweep.row import Footprint, Row, Speed


def cell(subject: str = "go2008", trace: str = "ab", **fields: object) -> Cell:
    """Return a cell of a small workload."""
    values: dict[str, object] = {
        "workload": "w",
        "trace": trace,
        "events": 5,
        "threads": 1,
        "recorded": False,
        "subject": subject,
        "measure": "memory",
        "touch": "page",
        "reserve": 1 << 30,
        "timeout": 60.0,
    }
    return Cell(**(values | fields))  # type: ignore[arg-type]


def row(
    subject: str = "go2008",
    peak: int | None = 100,
    ns: float | None = None,
    trace: str = "ab",
    spread: float = 0.0,
    **fields: object,
) -> Row:
    """Return a row: a time if `ns` is given, else a failure if `peak` is None, else a peak.

    The time is of 5 runs. The ends of its range differ from `ns` by the share `spread`.
    """
    about = {"host": "h", "began": "", "seconds": 0.1, "versions": {"allocsim": __version__}}
    if ns is not None:
        result: dict[str, object] = {
            "times": Speed(ns=ns, low=ns * (1 - spread), high=ns * (1 + spread), runs=5)
        }
        fields = {"measure": "times"} | fields
    elif peak is None:
        result = {"failure": "crashed by SIGSEGV"}
    else:
        result = {"memory": footprint(peak)}
    return cell(subject, trace, **fields).row(**about, **result)


def rows_of_all_kinds() -> list[Row]:
    """Return peaks, times with and without a spread, and a failure, on two workloads."""
    single = replace(row("lib:jemalloc", ns=4.0), times=Speed(ns=4.0, low=4.0, high=4.0, runs=1))
    return [
        row("glibc:mxfast=0", 5),
        row("glibc:mxfast=0", ns=2.5, spread=0.1),
        row("glibc", 6),
        row("glibc", ns=2.4, spread=0.2),
        row("go2008", 9),
        row("go2008", ns=2.0),
        row("lib:jemalloc", 7),
        single,
        row("lib:jemalloc:narenas=1", None),
        row("glibc", 7, trace="cd", seed=3),
        row("glibc", ns=3.0, trace="cd", seed=3, spread=0.05),
    ]


def footprint(peak: int) -> Footprint:
    """Return figures of a footprint that peaks at `peak` bytes, with 50 live bytes."""
    return Footprint(
        peak=peak, peak_event=1, live_at_peak=50, peak_live=50, end=peak, live_at_end=50
    )


def lines(path: Path) -> list[str]:
    """Return the lines of a file."""
    return path.read_text().splitlines()
