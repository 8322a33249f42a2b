"""Benchmark: the time that the recorders of `allocsim record` take for each call.

Two programs in C (`bench_recording.c`) measure their own times. They run on one thread and on
several threads, without a recorder and with each installed recorder in turn. The conversion of the
recordings is not included.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from allocsim.recorders import heaptrack, lttng, mtrace, preload
from allocsim.recorders.base import Recorder, Request, work_directory
from allocsim.recorders.compiler import why_no_compiler
from allocsim.recorders.program import find_program, run_program
from allocsim.text import counted

RECORDERS = (preload.RECORDER, lttng.RECORDER, heaptrack.RECORDER, mtrace.RECORDER)
"""The recorders of programs in C."""

SOURCE = Path(__file__).with_suffix(".c")

KINDS = {
    "churn": "5,000 live objects of 16 to 1,024 B on each thread, replaced at random and written",
    "pairs": "malloc and free of 64 B that are not touched",
}

THREADS = (1, 8)


class Time(NamedTuple):
    """Times of a run in ns/call."""

    wall: float
    cpu: float
    """Processor time of the program; that of a recorder's other processes is not included."""


def time_recorders(console: Console, rounds: int, calls: int) -> None:
    """Print the time per call of each program with each recorder; a run makes `calls` calls."""
    reason = why_no_compiler()
    if reason is not None:
        console.print(f"skipped: the recorders, because {reason}")
        return
    with tempfile.TemporaryDirectory() as place:
        program = Path(place) / "program"
        options = ("-O2", "-fno-builtin", "-pthread")
        subprocess.run(["cc", *options, "-o", program, SOURCE], check=True)
        for kind in KINDS:
            for threads in THREADS:
                command = [str(program), f"{place}/times", kind, str(threads)]
                command.append(str(calls // (2 * threads)))
                times = _times(console, command, rounds, calls)
                _report(console, f"{kind}, {counted(threads, 'thread')}: {KINDS[kind]}", times)


def _times(console: Console, command: list[str], rounds: int, calls: int) -> dict[str, list[Time]]:
    """Return the times of each round, by the recorder's name; "" is the program alone."""
    request = Request(find_program(command))
    usable: list[Recorder | None] = [None]
    for recorder in RECORDERS:
        reason = recorder.missing(request)
        if reason is None:
            usable.append(recorder)
        else:
            console.print(f"skipped: {recorder.name}: {reason}")
    times: dict[str, list[Time]] = {}
    for _ in range(rounds):
        for recorder in usable:
            name = recorder.name if recorder else ""
            times.setdefault(name, []).append(_run(recorder, request, calls))
    return times


def _run(recorder: Recorder | None, request: Request, calls: int) -> Time:
    """Run the program once and return the times that it measured."""
    if recorder is None:
        status = run_program(request.program, {}).status
    else:
        with work_directory() as directory:
            status = recorder.run(request, directory).status
    if status:
        raise SystemExit(f"{request.program.name} exited with status {status}")
    wall, cpu = Path(request.program.arguments[1]).read_text("ascii").split()
    return Time(float(wall) / calls, float(cpu) / calls)


def _report(console: Console, title: str, times: dict[str, list[Time]]) -> None:
    """Print medians and ranges of the times, and of their ratios to the time of the program alone.

    Each ratio compares two runs of the same round.
    """
    table = Table(title=title, title_justify="left")
    table.add_column("recorder")
    for head in ("CPU, ns/call", "range", "ratio", "range", "wall, ns/call", "ratio", "range"):
        table.add_column(head, justify="right")
    plain = times[""]
    for name, found in times.items():
        pairs = [*zip(found, plain, strict=True)]
        cells = (
            *_spread([time.cpu for time in found], 0),
            *_spread([time.cpu / base.cpu for time, base in pairs], 2),
            _spread([time.wall for time in found], 0)[0],
            *_spread([time.wall / base.wall for time, base in pairs], 2),
        )
        table.add_row(name or "none", *cells)
    console.print(table)


def _spread(values: Sequence[float], digits: int) -> tuple[str, str]:
    """Return the median and the range of values."""
    low, middle, high = (f"{x:.{digits}f}" for x in (min(values), median(values), max(values)))
    return middle, f"{low}-{high}"
