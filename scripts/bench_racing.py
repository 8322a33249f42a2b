"""Benchmarks that compare designs with malloc libraries, and the driver with a plain loop in C.

Each subject (a design or a library) replays the same events with the same compiled driver in fresh
processes. Subjects take turns, so a slow minute of the machine affects all of them. Only the ratios
are meaningful.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from allocsim.benchmark.comparison import Conditions, measure
from allocsim.benchmark.event_file import EventFile, write_events
from allocsim.designs import SUMMARIES
from allocsim.errors import EnvironmentLacks
from allocsim.events import EVENT, Trace
from allocsim.libraries.environment import child_environment
from allocsim.libraries.find import PREFIX, default_libraries, find_library
from tests.equality.timing import race

LOOP_IN_C = Path(__file__).parents[1] / "tests" / "libraries" / "replay_events.c"
SUBJECTS = (*SUMMARIES, *(PREFIX + name for name in default_libraries()))
WARM_RUNS = 8


def uniform(max_size: int) -> dict[str, object]:
    """Return a job of 2^20 events on 1,000 slots, each for one object of up to `max_size` bytes."""
    return {"kind": "random", "size": {"distribution": "uniform", "max": max_size}}


def warm(times: list[float]) -> float:
    """Return the median time of a process's runs without the first run, which is cold."""
    return statistics.median(times[1:])


def race_all(
    workload: dict[str, object], rounds: int, runs: int, figure: Callable[[list[float]], float]
) -> dict[str, float]:
    """Return the time of each installed subject in ns/event: the median of the rounds.

    A round is one process of `runs` replays; `figure` reduces their times to one.
    """
    figures: dict[str, list[float]] = {}
    for _ in range(rounds):
        for subject in SUBJECTS:
            try:
                figures.setdefault(subject, []).append(figure(race(subject, workload, runs)))
            except EnvironmentLacks as missing:
                Console(stderr=True).print(f"skipped: {missing}")
    return {subject: statistics.median(times) for subject, times in figures.items()}


def report(console: Console, title: str, times: dict[str, float]) -> None:
    """Print the times, and the ratio of the time of each design to that of each subject."""
    table = Table(title=title, title_justify="left")
    table.add_column("subject")
    table.add_column("ns/event", justify="right")
    for design in SUMMARIES:
        table.add_column(f"{design} / this", justify="right")
    for subject, ns in times.items():
        ratios = [f"{times[design] / ns:.2f}" for design in SUMMARIES]
        table.add_row(subject, f"{ns:.1f}", *ratios)
    console.print(table)


def compare_with_c(console: Console, name: str, trace: Trace, rounds: int) -> None:
    """Print each library's time in allocsim's driver and in a plain loop in C.

    The two take turns in fresh processes. Each figure is the median over the rounds; first runs,
    which are cold, do not count. The C program has the library preloaded, and shares only the file
    of events with allocsim.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        console.print("skipped: the loop in C, because no C compiler is installed")
        return
    table = Table(title=f"{name}: the driver and a loop in C, warm", title_justify="left")
    for head in (
        "library",
        "allocsim, ns/event",
        "C, ns/event",
        "allocsim / C",
    ):
        table.add_column(head, justify="left" if head == "library" else "right")
    event_file = write_events(trace)
    with tempfile.TemporaryDirectory() as place:
        program = f"{place}/replay_events"
        subprocess.run([compiler, "-O2", "-o", program, str(LOOP_IN_C)], check=True)
        for library in filter(find_library, default_libraries()):
            ours, theirs = [], []
            for _ in range(rounds):
                message = measure(f"lib:{library}", "times", event_file, Conditions(runs=WARM_RUNS))
                ours.append(message.times.ns)
                theirs.append(warm(loop_in_c(program, library, event_file)))
            ns, c = statistics.median(ours), statistics.median(theirs)
            table.add_row(library, f"{ns:.1f}", f"{c:.1f}", f"{ns / c:.3f}")
    event_file.close()
    console.print(table)


def loop_in_c(program: str, library: str, event_file: EventFile) -> list[float]:
    """Return ns/event of each run of the C program with a library preloaded."""
    path = f"/proc/{os.getpid()}/fd/{event_file.descriptor}"
    objects = int(np.fromfile(path, EVENT)["object"].max()) + 1
    environment = dict(child_environment(None))
    if library != "glibc":
        environment["LD_PRELOAD"] = find_library(library)
    command = [program, path, str(objects), "0", str(WARM_RUNS + 1)]
    out = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    return [float(word) for word in out.split()[3:]]
