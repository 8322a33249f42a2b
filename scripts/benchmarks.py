"""The benchmarks behind scripts/bench.

Each subject plays the same events with the same compiled driver in fresh processes, the subjects
taking turns, so that a slow minute of the machine falls on all of them. What counts is the ratio;
every figure is the median of the rounds. Reading and starting up are timed the same way.
"""

from __future__ import annotations

import mmap
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from allocsim.errors import EnvironmentLacks
from allocsim.events import CHUNK, EVENT, Trace
from allocsim.heap import Heap
from allocsim.jobs import make_generator
from allocsim.player import Options, Player
from allocsim.rivals.library import KNOWN
from allocsim.rivals.race import race
from allocsim.traces import open_trace
from allocsim.traces.store import read_trace, write_trace

ROOT = Path(__file__).parents[1]
SYSTEMUI = ROOT.parent / "shared" / "traces" / "systemui.zip"
SUBJECTS = ("go2008", *KNOWN)
WARM_RUNS = 8
MEMORY = 1 << 24
"""Events that are replayed from memory: 256 MiB."""


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


def time_stored(console: Console, events: int, rounds: int) -> None:
    """Print how fast a file of our own opens, and is replayed beside the same from memory."""
    generator = make_generator(uniform(64) | {"ops": events})
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "large.allocsim"
        if shutil.disk_usage(place).free < max(4 << 30, 3 * EVENT.itemsize * events):
            console.print(f"left out: {place} has no room for a trace of {events:,} events")
            return
        write_trace(generator.trace("large"), path)
        opening = []
        for _ in range(rounds):
            begun = time.perf_counter()
            read_trace(path)
            opening.append(time.perf_counter() - begun)
        few = [chunk.copy() for chunk in islice(read_trace(path).chunks, MEMORY // CHUNK)]
        before = resident()
        file_rates, memory_rates = [], []
        for _ in range(rounds):
            file_rates.append(replay_rate(read_trace(path)))
            memory_rates.append(replay_rate(Trace("memory", iter(few), {})))
        grown = resident() - before
    ours, engine = statistics.median(file_rates), statistics.median(memory_rates)
    table = Table(title=f"an allocsim trace of {events:,} events", title_justify="left")
    table.add_column("what")
    table.add_column("figure", justify="right")
    table.add_row("opening it, seconds", f"{statistics.median(opening):.5f}")
    table.add_row("replaying it, ns an event, all counted", f"{ours:.2f}")
    table.add_row(f"replaying {MEMORY:,} events from memory", f"{engine:.2f}")
    table.add_row("the file takes, times that", f"{ours / engine:.3f}")
    table.add_row("memory more than at the begin, MiB", f"{grown / 2**20:.1f}")
    console.print(table)


def replay_rate(trace: Trace) -> float:
    """Nanoseconds an event of a replay, from the first chunk to the last, reading included."""
    with Heap() as heap:
        player = Player(heap, Options(), trace.length)
        begun = time.perf_counter()
        for chunk in trace.chunks:
            player.play(chunk)
        return (time.perf_counter() - begun) * 1e9 / player.events


def resident() -> int:
    """Bytes of this process that are resident."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * mmap.PAGESIZE


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Fresh processes for each subject.")
@click.option(
    "--stored",
    default=10**8,
    show_default=True,
    help="Events of the trace file of our own; 0: none.",
)
def main(rounds: int, stored: int) -> None:
    """Measure the designs against the malloc libraries, and reading and starting up."""
    console = Console(width=100)
    for most in (64, 2048):
        title = f"2^20 events, 1,000 slots, up to {most} bytes, warm"
        report(console, title, race_all(uniform(most), rounds, WARM_RUNS, warm))
    if SYSTEMUI.exists():
        trace: dict[str, object] = {"kind": "trace", "file": str(SYSTEMUI)}
        report(console, "systemui, one cache, cold", race_all(trace, 2 * rounds, 1, min))
        report(console, "systemui, one cache, warm", race_all(trace, rounds, WARM_RUNS, warm))
        time_reading(console, rounds)
    else:
        console.print(f"left out: {SYSTEMUI.name} is not beside this repository")
    if stored:
        time_stored(console, stored, rounds)
    time_start(console, 4 * rounds)


if __name__ == "__main__":
    main()
