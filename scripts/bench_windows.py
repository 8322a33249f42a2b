"""Benchmark: the driver on several threads, compared with a loop in C on pthreads.

A window is a run of events within which the threads do not wait for each other (see
`benchmark.threads`). The driver and the loop replay the same windows on the same loaded library, in
one process for each library. A pair is a replay by the driver and then one by the loop, or the
other way round. The times of a replay depend on the order in which threads get the locks of the
library. They vary by up to 20 ns/event on glibc, so the result is the median difference of the
pairs, with a confidence interval.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import comb
from pathlib import Path
from statistics import median

from bench_reading import SYSTEMUI
from rich.console import Console
from rich.table import Table

from allocsim.benchmark.event_file import EventFile, write_events
from allocsim.libraries.environment import child_environment
from allocsim.libraries.find import default_libraries, find_library
from allocsim.text import counted
from allocsim.traces import open_trace
from tests.benchmark.threads.windows_in_c import compile_loop
from tests.predictions.programs import THREADED, compile_programs

MIN_EVENTS = 6_000_000
"""A workload with fewer events has proportionally more pairs, because its times vary more."""

CONFIDENCE = 0.95

MODULE = "tests.benchmark.threads.windows_in_c"


def compare_windows(console: Console, pairs: int) -> None:
    """Print the CPU time of pairs of replays of each workload on each library.

    A workload of MIN_EVENTS or more has `pairs` pairs.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        console.print("skipped: the windows in C, because no C compiler is installed")
        return
    with tempfile.TemporaryDirectory() as place:
        loop = compile_loop(compiler, Path(place) / "replay_windows.so")
        for name, file in _workloads(Path(place)):
            events = write_events(open_trace(str(file)), recorded=True)
            _report(console, name, events, loop, pairs * max(1, MIN_EVENTS // events.events))
            events.close()


def _workloads(place: Path) -> Iterator[tuple[str, Path]]:
    """Yield names and traces: recordings of the programs with threads, and systemui."""
    program = compile_programs(place)
    for name in THREADED:
        out = place / f"{name}.allocsim"
        command = ["record", "-o", str(out), "--", str(program), name]
        subprocess.run(
            [sys.executable, "-m", "allocsim", *command], check=True, capture_output=True
        )
        yield name, out
    if SYSTEMUI.exists():
        yield "systemui", SYSTEMUI


def _report(console: Console, name: str, events: EventFile, loop: Path, pairs: int) -> None:
    """Print the table of a workload.

    The columns are about the CPU time of the threads while they replay. Only the last one is about
    the CPU time of the whole process.
    """
    heads = (
        "library",
        "allocsim, ns/event",
        "C, ns/event",
        "difference",
        "95% interval",
        "difference, whole process",
    )
    table = Table(title_justify="left")
    for head in heads:
        table.add_column(head, justify="left" if head == "library" else "right")
    for library in filter(find_library, default_libraries()):
        found = _pairs(library, events, loop, pairs)
        ours, theirs, window = found["driver"], found["loop"], int(found["window"][0])
        table.title = (
            f"{name}: {counted(events.events, 'event')}, windows of {window:,}, {pairs} pairs"
        )
        gaps = [a - b for a, b in zip(ours, theirs, strict=True)]
        low, high = median_interval(gaps)
        whole = [a - b for a, b in zip(found["driver_all"], found["loop_all"], strict=True)]
        table.add_row(
            library,
            f"{median(ours):.1f}",
            f"{median(theirs):.1f}",
            f"{median(gaps):+.1f}",
            f"{low:+.1f} to {high:+.1f}",
            f"{median(whole):+.1f}",
        )
    console.print(table)


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return a confidence interval of the median, for CONFIDENCE; there should be 6 values or more.

    The ends of the interval are among the values (sign test): the number of values below the median
    is binomially distributed with probability 1/2. Nothing else is assumed about the values.
    """
    ordered, count = sorted(values), len(values)
    tails = accumulate(2 * comb(count, heads) / 2**count for heads in range(count // 2))
    skipped = max(sum(tail <= 1 - CONFIDENCE for tail in tails) - 1, 0)
    return ordered[skipped], ordered[-1 - skipped]


def _pairs(library: str, events: EventFile, loop: Path, pairs: int) -> dict[str, list[float]]:
    """Return the figures of a fresh process (see `windows_in_c.measure_pairs`)."""
    command = [sys.executable, "-m", MODULE, str(loop), library, str(events.descriptor), str(pairs)]
    out = subprocess.run(
        command,
        env=child_environment(library),
        pass_fds=[events.descriptor],
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, list[float]] = json.loads(out.stdout)
    return found
