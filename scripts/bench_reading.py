"""Benchmarks: the readers of recorded traces compared with Python loops that split each line."""

from __future__ import annotations

import gzip
import statistics
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.table import Table

from allocsim.traces import open_trace
from allocsim.traces.source import open_source

Numbers = Callable[[list[str]], None]

ROOT = Path(__file__).parents[1]
SYSTEMUI = ROOT.parent / "shared" / "traces" / "systemui.zip"
SAMPLES = ROOT / "tests" / "traces" / "samples"


def split_loop(path: Path, numbers: Numbers) -> int:
    """Split each line and parse its numbers, as a script would; return the number of lines."""
    count = 0
    with path.open() as file:
        for line in file:
            numbers(line.split())
            count += 1
    return count


def bare_split_loop(path: Path) -> int:
    """Only split each line, the minimum for a script; return the number of lines."""
    count = 0
    with path.open() as file:
        for line in file:
            line.split()
            count += 1
    return count


def aosp_numbers(fields: list[str]) -> None:
    """Parse TID: NAME 0xPTR [SIZE]."""
    int(fields[0][:-1])
    int(fields[2], 16)
    if len(fields) > 3 and fields[1] == "malloc":
        int(fields[3])


def mtrace_numbers(fields: list[str]) -> None:
    """Parse @ CALLER + 0xPTR 0xSIZE, or - 0xPTR."""
    if len(fields) > 4:
        int(fields[-2], 16)
    if len(fields) > 3:
        int(fields[-1], 16)


def lttng_numbers(fields: list[str]) -> None:
    """Parse [TIME] (DELTA) HOST NAME { CPU }, { vpid = P, vtid = T }, { size = N, ptr = 0xP }."""
    int(fields[12][:-1])
    int(fields[15])
    int(fields[-2], 16)
    if len(fields) > 22:
        int(fields[20][:-1], 0)


def valgrind_numbers(fields: list[str]) -> None:
    """Parse --PID-- NAME(N) = 0xP, or free(0xP)."""
    if len(fields) == 4 and fields[2] == "=":
        argument = fields[1].partition("(")[2].partition(",")[0].partition(")")[0]
        int(argument, 0)
        int(fields[3], 16)
    elif len(fields) == 2 and fields[1].startswith("free("):
        int(fields[1][5:-1], 16)


def heaptrack_numbers(fields: list[str]) -> None:
    """Parse + SIZE TRACE PTR, or - PTR, in hexadecimal."""
    if fields[0] == "+":
        int(fields[1], 16)
        int(fields[3], 16)
    elif fields[0] == "-":
        int(fields[1], 16)


RECORDED: dict[str, Numbers] = {
    "mtrace": mtrace_numbers,
    "lttng": lttng_numbers,
    "valgrind": valgrind_numbers,
}
"""For each format with a sample recording of sqlite3, the function that parses a line's numbers."""

REPEATED = 48 << 20
"""Bytes of the large file made by repeating a sample."""


def import_trace(path: Path) -> int:
    """Read a trace; return the number of events."""
    return sum(len(chunk) for chunk in open_trace(str(path)).chunks)


def time_reading(console: Console, rounds: int) -> None:
    """Print the rates of the text readers and of plain Python loops over the same files."""
    table = Table(title="reading text, million lines/s", title_justify="left")
    for column in ("format", "lines", "allocsim", "split and numbers", "split"):
        table.add_column(column, justify="left" if column == "format" else "right")
    table.add_column("allocsim / split and numbers", justify="right")
    with tempfile.TemporaryDirectory() as place:
        for name, path, numbers in reading_subjects(Path(place)):
            lines, rates = reading_rates(path, numbers, rounds)
            ratio = f"{rates['allocsim'] / rates['split and numbers']:.1f}"
            table.add_row(name, f"{lines:,}", *(f"{rate:.2f}" for rate in rates.values()), ratio)
    console.print(table)


def reading_subjects(place: Path) -> Iterator[tuple[str, Path, Numbers]]:
    """Yield the name, a large file, and the parser of a line's numbers for each format."""
    if SYSTEMUI.exists():
        with zipfile.ZipFile(SYSTEMUI) as archive:
            yield "aosp", Path(archive.extract(archive.namelist()[0], place)), aosp_numbers
    for name, numbers in RECORDED.items():
        sample = gzip.decompress((SAMPLES / f"sqlite.{name}.gz").read_bytes())
        large = place / name
        large.write_bytes(sample * (REPEATED // len(sample)))
        yield name, large, numbers
    with closing(open_source(str(SAMPLES / "sqlite.heaptrack-raw.zst"))) as source:
        sample = source.head(REPEATED)
    large = place / "heaptrack"
    large.write_bytes(sample * (REPEATED // len(sample)))
    yield "heaptrack", large, heaptrack_numbers


def reading_rates(path: Path, numbers: Numbers, rounds: int) -> tuple[int, dict[str, float]]:
    """Return the number of lines of a file, and the rate of each reader in million lines/s."""
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
