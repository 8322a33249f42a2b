"""The benchmarks behind scripts/bench.

Each subject plays the same events with the same compiled driver in fresh processes, the subjects
taking turns, so that a slow minute of the machine falls on all of them. What counts is the ratio;
every figure is the median of the rounds. Reading and starting up are timed the same way.
"""

from __future__ import annotations

import gzip
import mmap
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
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
SAMPLES = ROOT / "tests" / "traces" / "samples"
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


def split_loop(path: Path, numbers: Numbers) -> int:
    """What a script would do: split each line and read its numbers; the lines."""
    count = 0
    with path.open() as file:
        for line in file:
            numbers(line.split())
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


def aosp_numbers(fields: list[str]) -> None:
    """TID: NAME 0xPTR [SIZE]."""
    int(fields[0][:-1])
    int(fields[2], 16)
    if len(fields) > 3 and fields[1] == "malloc":
        int(fields[3])


def mtrace_numbers(fields: list[str]) -> None:
    """@ CALLER + 0xPTR 0xSIZE, or - 0xPTR."""
    if len(fields) > 4:
        int(fields[-2], 16)
    if len(fields) > 3:
        int(fields[-1], 16)


def lttng_numbers(fields: list[str]) -> None:
    """[TIME] (DELTA) HOST NAME { CPU }, { vpid = P, vtid = T }, { size = N, ptr = 0xP }."""
    int(fields[12][:-1])
    int(fields[15])
    int(fields[-2], 16)
    if len(fields) > 22:
        int(fields[20][:-1], 0)


def valgrind_numbers(fields: list[str]) -> None:
    """--PID-- NAME(N) = 0xP, or free(0xP)."""
    if len(fields) == 4 and fields[2] == "=":
        argument = fields[1].partition("(")[2].partition(",")[0].partition(")")[0]
        int(argument, 0)
        int(fields[3], 16)
    elif len(fields) == 2 and fields[1].startswith("free("):
        int(fields[1][5:-1], 16)


Numbers = Callable[[list[str]], None]

RECORDED: dict[str, Numbers] = {
    "mtrace": mtrace_numbers,
    "lttng": lttng_numbers,
    "valgrind": valgrind_numbers,
}
"""For each format with a sample of a sqlite3 run the numbers of a line."""

REPEATED = 48 << 20
"""Bytes of the large file that is made of a sample."""


def import_trace(path: Path) -> int:
    """Read a trace into events; how many."""
    return sum(len(chunk) for chunk in open_trace(str(path)).chunks)


def time_reading(console: Console, rounds: int) -> None:
    """Print the rates of the readers of text beside plain Python loops over the same files."""
    table = Table(title="reading text, million lines/s", title_justify="left")
    for column in ("format", "lines", "allocsim", "split and numbers", "split"):
        table.add_column(column, justify="left" if column == "format" else "right")
    table.add_column("allocsim is faster than split and numbers, times", justify="right")
    with tempfile.TemporaryDirectory() as place:
        for name, path, numbers in reading_subjects(Path(place)):
            lines, rates = reading_rates(path, numbers, rounds)
            ratio = f"{rates['allocsim'] / rates['split and numbers']:.1f}"
            table.add_row(name, f"{lines:,}", *(f"{rate:.2f}" for rate in rates.values()), ratio)
    console.print(table)


def reading_subjects(place: Path) -> Iterator[tuple[str, Path, Numbers]]:
    """A large file of each format, with its name and the numbers of a line."""
    if SYSTEMUI.exists():
        with zipfile.ZipFile(SYSTEMUI) as archive:
            yield "aosp", Path(archive.extract(archive.namelist()[0], place)), aosp_numbers
    for name, numbers in RECORDED.items():
        sample = gzip.decompress((SAMPLES / f"sqlite.{name}.gz").read_bytes())
        large = place / name
        large.write_bytes(sample * (REPEATED // len(sample)))
        yield name, large, numbers


def reading_rates(path: Path, numbers: Numbers, rounds: int) -> tuple[int, dict[str, float]]:
    """The lines of a file, and how many millions of them each way to read takes in a second."""
    lines = bare_split_loop(path)
    import_trace(path)
    readers: dict[str, Callable[[], object]] = {
        "allocsim": lambda: import_trace(path),
        "split and numbers": lambda: split_loop(path, numbers),
        "split": lambda: bare_split_loop(path),
    }
    rates: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(rounds):
        for name, read in readers.items():
            begun = time.perf_counter()
            read()
            rates[name].append(lines / (time.perf_counter() - begun) / 1e6)
    return lines, {name: statistics.median(rate) for name, rate in rates.items()}


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
    else:
        console.print(f"left out: {SYSTEMUI.name} is not beside this repository")
    time_reading(console, rounds)
    if stored:
        time_stored(console, stored, rounds)
    time_start(console, 4 * rounds)


if __name__ == "__main__":
    main()
