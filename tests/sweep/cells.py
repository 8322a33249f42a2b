"""Invented cells and rows of a sweep: a cell is one measurement, a row is its result."""

from pathlib import Path

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
    **fields: object,
) -> Row:
    """Return a row: a time if `ns` is given, else a failure if `peak` is None, else a peak."""
    about = {"host": "h", "began": "", "seconds": 0.1, "versions": {"allocsim": __version__}}
    if ns is not None:
        result: dict[str, object] = {"times": Speed(ns=ns, low=ns, high=ns, runs=1)}
        fields = {"measure": "times"} | fields
    elif peak is None:
        result = {"failure": "crashed by SIGSEGV"}
    else:
        result = {"memory": footprint(peak)}
    return cell(subject, trace, **fields).row(**about, **result)


def footprint(peak: int) -> Footprint:
    """Return figures of a footprint that peaks at `peak` bytes, with 50 live bytes."""
    return Footprint(
        peak=peak, peak_event=1, live_at_peak=50, peak_live=50, end=peak, live_at_end=50
    )


def lines(path: Path) -> list[str]:
    """Return the lines of a file."""
    return path.read_text().splitlines()
