"""Benchmarks: opening a file in allocsim's own format, and replaying it from disk and memory."""

from __future__ import annotations

import mmap
import shutil
import statistics
import tempfile
import time
from itertools import islice
from pathlib import Path

from bench_racing import uniform
from rich.console import Console
from rich.table import Table

from allocsim.events import CHUNK, EVENT, Trace
from allocsim.heap import Heap
from allocsim.jobs import make_generator
from allocsim.player import Options, Player
from allocsim.traces.native.file import read_trace, write_trace

MEMORY = 1 << 24
"""Number of events that are replayed from memory. They take 256 MiB."""


def time_stored(console: Console, events: int, rounds: int) -> None:
    """Print the time to open a file, and to replay it from disk and from memory."""
    generator = make_generator(uniform(64) | {"ops": events})
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "large.allocsim"
        if shutil.disk_usage(place).free < max(4 << 30, 3 * EVENT.itemsize * events):
            console.print(f"skipped: {place} has too little free space for {events:,} events")
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
    table.add_column("measurement")
    table.add_column("figure", justify="right")
    table.add_row("opening it, seconds", f"{statistics.median(opening):.5f}")
    table.add_row("replaying it, reading included, ns/event", f"{ours:.2f}")
    table.add_row(f"replaying {MEMORY:,} events from memory, ns/event", f"{engine:.2f}")
    table.add_row("file / memory", f"{ours / engine:.3f}")
    table.add_row("growth of resident memory, MiB", f"{grown / 2**20:.1f}")
    console.print(table)


def replay_rate(trace: Trace) -> float:
    """Return ns/event of a replay from the first chunk to the last, reading included."""
    with Heap() as heap:
        player = Player(heap, Options(), trace.length)
        begun = time.perf_counter()
        for chunk in trace.chunks:
            player.replay_chunk(chunk)
        return (time.perf_counter() - begun) * 1e9 / player.events


def resident() -> int:
    """Return the RSS of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * mmap.PAGESIZE
