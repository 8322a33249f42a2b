"""The benchmarks of scripts/bench: allocators, readers, the native format, recorders, start-up.

Every figure is the median of the rounds; only ratios within one run are meaningful.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import click
from bench_racing import WARM_RUNS, compare_with_c, race_all, report, uniform, warm
from bench_reading import SYSTEMUI, time_reading
from bench_recording import time_recorders
from bench_storing import time_stored
from bench_windows import compare_windows
from rich.console import Console
from rich.table import Table

from allocsim.jobs import make_generator
from allocsim.traces import open_trace

PARTS = ("race", "c", "windows", "read", "store", "record", "start")


def time_start(console: Console, rounds: int) -> None:
    """Print the wall time of commands, and of importing click."""
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
    table.add_column("/ import click", justify="right")
    median = {name: statistics.median(seconds) for name, seconds in times.items()}
    for name, seconds in median.items():
        table.add_row(name, f"{seconds:.3f}", f"{seconds / next(iter(median.values())):.2f}")
    console.print(table)


def time_races(console: Console, rounds: int) -> None:
    """Print the time per event of each design and library."""
    for max_size in (64, 2048):
        title = f"2^20 events, 1,000 slots, up to {max_size} bytes, warm"
        report(console, title, race_all(uniform(max_size), rounds, WARM_RUNS, warm))
    if SYSTEMUI.exists():
        trace: dict[str, object] = {"kind": "trace", "file": str(SYSTEMUI)}
        report(console, "systemui, one cache, cold", race_all(trace, 2 * rounds, 1, min))
        report(console, "systemui, one cache, warm", race_all(trace, rounds, WARM_RUNS, warm))
    else:
        console.print(f"skipped: {SYSTEMUI} does not exist")


def time_driver(console: Console, rounds: int) -> None:
    """Print what the driver adds to the libraries' time."""
    stream = make_generator(uniform(2048)).trace("random")
    compare_with_c(console, "2^20 events up to 2,048 bytes", stream, rounds)
    if SYSTEMUI.exists():
        compare_with_c(console, "systemui", open_trace(str(SYSTEMUI)), rounds)


@click.command()
@click.option("--rounds", default=5, show_default=True, help="Fresh processes for each subject.")
@click.option(
    "--stored",
    default=10**8,
    show_default=True,
    help="Events of the file in allocsim's own format; 0 skips this part.",
)
@click.option(
    "--calls", default=4_000_000, show_default=True, help="Calls of a program that is recorded."
)
@click.option(
    "--part", type=click.Choice(PARTS), multiple=True, help="Only this part; may be repeated."
)
def main(rounds: int, stored: int, calls: int, part: tuple[str, ...]) -> None:
    """Measure designs and malloc libraries, the readers of traces, recorders, and start-up."""
    console, parts = Console(width=110), part or PARTS
    if "race" in parts:
        time_races(console, rounds)
    if "c" in parts:
        time_driver(console, rounds)
    if "windows" in parts:
        compare_windows(console, 2 * rounds)
    if "read" in parts:
        time_reading(console, rounds)
    if "store" in parts and stored:
        time_stored(console, stored, rounds)
    if "record" in parts:
        time_recorders(console, rounds, calls)
    if "start" in parts:
        time_start(console, 4 * rounds)


if __name__ == "__main__":
    main()
