"""The benchmarks behind scripts/bench.

Each subject plays the same events with the same compiled driver in fresh processes, the subjects
taking turns, so that a slow minute of the machine falls on all of them. What counts is the ratio;
every figure is the median of the rounds. Reading and starting up are timed the same way.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from allocsim.errors import EnvironmentLacks
from allocsim.events import EVENT, Trace
from allocsim.jobs import make_generator
from allocsim.rivals.comparison import Conditions, measure
from allocsim.rivals.environment import child_environment
from allocsim.rivals.library import KNOWN, find_library
from allocsim.rivals.race import race
from allocsim.rivals.recorded import Recorded, record
from allocsim.traces import open_trace

ROOT = Path(__file__).parents[1]
SYSTEMUI = ROOT.parent / "shared" / "traces" / "systemui.zip"
LOOP_IN_C = ROOT / "tests" / "rivals" / "replay_events.c"
SUBJECTS = ("go2008", *KNOWN)
WARM_RUNS = 8


def uniform(most: int) -> dict[str, object]:
    """2^20 events over 1,000 slots with sizes up to `most` bytes."""
    return {"kind": "random", "size": {"distribution": "uniform", "max": most}}


def warm(times: list[float]) -> float:
    """The median of the warm runs of a process."""
    return statistics.median(times[1:])


def race_all(
    workload: dict[str, object], rounds: int, runs: int, figure: Callable[[list[float]], float]
) -> dict[str, float]:
    """Nanoseconds an event for each subject that is here, subjects taking turns."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for subject in SUBJECTS:
            try:
                found.setdefault(subject, []).append(figure(race(subject, workload, runs)))
            except EnvironmentLacks as missing:
                Console(stderr=True).print(f"left out: {missing}")
    return {subject: statistics.median(times) for subject, times in found.items()}


def report(console: Console, title: str, times: dict[str, float]) -> None:
    """Print the times and what they are of go2008's."""
    table = Table(title=title, title_justify="left")
    table.add_column("subject")
    table.add_column("ns an event", justify="right")
    table.add_column("go2008 takes, times this", justify="right")
    for subject, ns in times.items():
        table.add_row(subject, f"{ns:.1f}", f"{times['go2008'] / ns:.2f}")
    console.print(table)


def time_beside_c(console: Console, name: str, trace: Trace, rounds: int) -> None:
    """Print each library's time in allocsim's driver beside that in a plain loop in C.

    Fresh processes take turns; each figure is the median of the rounds' warm medians. The C program
    has the library preloaded and shares only the file of events.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        console.print("left out: the loop in C, since there is no C compiler here")
        return
    table = Table(title=f"{name}, warm, beside a loop in C", title_justify="left")
    for head in (
        "library",
        "allocsim, ns an event",
        "C, ns an event",
        "allocsim takes, times this",
    ):
        table.add_column(head, justify="left" if head == "library" else "right")
    recorded = record(trace)
    with tempfile.TemporaryDirectory() as place:
        program = f"{place}/replay_events"
        subprocess.run([compiler, "-O2", "-o", program, str(LOOP_IN_C)], check=True)
        for library in filter(find_library, KNOWN):
            ours, theirs = [], []
            for _ in range(rounds):
                said = measure(f"lib:{library}", "times", recorded, Conditions(runs=WARM_RUNS))
                ours.append(said.times.ns)
                theirs.append(warm(loop_in_c(program, library, recorded)))
            ns, c = statistics.median(ours), statistics.median(theirs)
            table.add_row(library, f"{ns:.1f}", f"{c:.1f}", f"{ns / c:.3f}")
    recorded.close()
    console.print(table)


def loop_in_c(program: str, library: str, recorded: Recorded) -> list[float]:
    """Nanoseconds an event of each run of the C program with a library preloaded."""
    path = f"/proc/{os.getpid()}/fd/{recorded.descriptor}"
    objects = int(np.fromfile(path, EVENT)["object"].max()) + 1
    environment = dict(child_environment(None))
    if library != "glibc":
        environment["LD_PRELOAD"] = find_library(library)
    command = [program, path, str(objects), "0", str(WARM_RUNS + 1)]
    out = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    return [float(word) for word in out.split()[3:]]


def split_loop(path: Path) -> int:
    """What a script would do: split each line and read its numbers; the lines."""
    count = 0
    with path.open() as file:
        for line in file:
            fields = line.split()
            int(fields[0][:-1])
            int(fields[2], 16)
            count += 1
    return count


def bare_split_loop(path: Path) -> int:
    """The least that a script could do: split each line; the lines."""
    count = 0
    with path.open() as file:
        for line in file:
            line.split()
            count += 1
    return count


def import_trace(path: Path) -> int:
    """Read a trace into events; how many."""
    return sum(len(chunk) for chunk in open_trace(str(path)).chunks)


def time_reading(console: Console, rounds: int) -> None:
    """Print the rate of the AOSP reader beside plain Python loops over the same file."""
    with tempfile.TemporaryDirectory() as place:
        with zipfile.ZipFile(SYSTEMUI) as archive:
            path = Path(archive.extract(archive.namelist()[0], place))
        lines = bare_split_loop(path)
        import_trace(path)
        readers = {
            "allocsim": import_trace,
            "split and numbers": split_loop,
            "split": bare_split_loop,
        }
        rates = {name: [] for name in readers}
        for _ in range(rounds):
            for name, read in readers.items():
                begun = time.perf_counter()
                read(path)
                rates[name].append(lines / (time.perf_counter() - begun) / 1e6)
    table = Table(title=f"reading {lines:,} lines of AOSP text", title_justify="left")
    table.add_column("reader")
    table.add_column("million lines/s", justify="right")
    table.add_column("allocsim is faster, times", justify="right")
    median = {name: statistics.median(rate) for name, rate in rates.items()}
    for name, rate in median.items():
        table.add_row(name, f"{rate:.2f}", f"{median['allocsim'] / rate:.1f}")
    console.print(table)


def time_start(console: Console, rounds: int) -> None:
    """Print the wall time of commands beside that of importing click."""
    allocsim = str(Path(sys.executable).parent / "allocsim")
    commands = {
        "python -c 'import click'": [sys.executable, "-c", "import click"],
        "allocsim --help": [allocsim, "--help"],
        "a usage error": [allocsim, "random", "--nope"],
        "allocsim random": [allocsim, "random"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            begun = time.perf_counter()
            subprocess.run(command, capture_output=True, check=False)
            times[name].append(time.perf_counter() - begun)
    table = Table(title="starting up", title_justify="left")
    table.add_column("command")
    table.add_column("seconds", justify="right")
    table.add_column("times import click", justify="right")
    median = {name: statistics.median(seconds) for name, seconds in times.items()}
    for name, seconds in median.items():
        table.add_row(name, f"{seconds:.3f}", f"{seconds / next(iter(median.values())):.2f}")
    console.print(table)


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Fresh processes for each subject.")
def main(rounds: int) -> None:
    """Measure the designs against the malloc libraries, and reading and starting up."""
    console = Console(width=100)
    for most in (64, 2048):
        title = f"2^20 events, 1,000 slots, up to {most} bytes, warm"
        report(console, title, race_all(uniform(most), rounds, WARM_RUNS, warm))
    stream = make_generator(uniform(2048)).trace("random")
    time_beside_c(console, "2^20 events up to 2,048 bytes", stream, rounds)
    if SYSTEMUI.exists():
        trace: dict[str, object] = {"kind": "trace", "file": str(SYSTEMUI)}
        time_beside_c(console, "systemui", open_trace(str(SYSTEMUI)), rounds)
        report(console, "systemui, one cache, cold", race_all(trace, 2 * rounds, 1, min))
        report(console, "systemui, one cache, warm", race_all(trace, rounds, WARM_RUNS, warm))
        time_reading(console, rounds)
    else:
        console.print(f"left out: {SYSTEMUI.name} is not beside this repository")
    time_start(console, 4 * rounds)


if __name__ == "__main__":
    main()
