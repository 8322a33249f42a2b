"""The benchmarks behind scripts/bench: racing, reading, storing, and starting up.

Every figure is the median of the rounds; what counts is the ratio within one run.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import click
from bench_racing import WARM_RUNS, race_all, report, time_beside_c, uniform, warm
from bench_reading import SYSTEMUI, time_reading
from bench_storing import time_stored
from rich.console import Console
from rich.table import Table

from allocsim.jobs import make_generator
from allocsim.traces import open_trace

PARTS = ("race", "c", "read", "store", "start")


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


def time_races(console: Console, rounds: int) -> None:
    """Print what each design and each library takes for an event."""
    for most in (64, 2048):
        title = f"2^20 events, 1,000 slots, up to {most} bytes, warm"
        report(console, title, race_all(uniform(most), rounds, WARM_RUNS, warm))
    if SYSTEMUI.exists():
        trace: dict[str, object] = {"kind": "trace", "file": str(SYSTEMUI)}
        report(console, "systemui, one cache, cold", race_all(trace, 2 * rounds, 1, min))
        report(console, "systemui, one cache, warm", race_all(trace, rounds, WARM_RUNS, warm))
    else:
        console.print(f"left out: {SYSTEMUI.name} is not beside this repository")


def time_driver(console: Console, rounds: int) -> None:
    """Print what the driver adds to the libraries' own time."""
    stream = make_generator(uniform(2048)).trace("random")
    time_beside_c(console, "2^20 events up to 2,048 bytes", stream, rounds)
    if SYSTEMUI.exists():
        time_beside_c(console, "systemui", open_trace(str(SYSTEMUI)), rounds)


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Fresh processes for each subject.")
@click.option(
    "--stored",
    default=10**8,
    show_default=True,
    help="Events of the trace file of our own; 0: none.",
)
@click.option("--part", type=click.Choice(PARTS), multiple=True, help="Only this; may be repeated.")
def main(rounds: int, stored: int, part: tuple[str, ...]) -> None:
    """Measure the designs against the malloc libraries, and reading and starting up."""
    console, parts = Console(width=110), part or PARTS
    if "race" in parts:
        time_races(console, rounds)
    if "c" in parts:
        time_driver(console, rounds)
    if "read" in parts:
        time_reading(console, rounds)
    if "store" in parts and stored:
        time_stored(console, stored, rounds)
    if "start" in parts:
        time_start(console, 4 * rounds)


if __name__ == "__main__":
    main()
