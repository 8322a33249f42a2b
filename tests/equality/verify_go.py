"""scripts/verify-go: compare the design go with the runtime of Go 1.27.

Every workload is replayed on both. The script compares the address of every object and, at each
checkpoint, the state of the heap: page bitmaps, page cache, pacer, scavenger. Exits with 1 unless
all are equal, and with 3 if Go is not installed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click
import numpy as np

from allocsim.errors import EnvironmentLacks
from allocsim.events import on_one_thread
from allocsim.traces import open_trace
from tests.equality.go_equality import GoEquality, compare_with_go, plain_events
from tests.equality.go_runtime import go_root
from tests.equality.go_workloads import memory_limit, random_cases, workloads
from tests.equality.verify_tcmalloc import SYSTEMUI

MODES: tuple[dict[str, int], ...] = (
    {"GOGC": -1},
    {"GOGC": -1, "collect": 1000, "scavenger": 0},
    {"GOGC": 100},
    {"GOGC": 100, "scavenger": 0},
    {"GOGC": 50, "scavenger": 200},
    {"GOGC": 200},
    {"GOGC": 100, "freegc": 1},
    {"GOGC": -1, "collect": 1000, "freegc": 1},
    {"GOGC": 100, "greenteagc": 0},
    {"GOGC": 100, "GOMEMLIMIT": 1, "scavenger": 0},
    {"GOGC": -1, "GOMEMLIMIT": 1},
)
"""Settings under which every workload is replayed. A GOMEMLIMIT of 1 stands for the limit that
`memory_limit` computes for the workload."""

Case = tuple[str, Any, dict[str, int]]


def cases(scale: int, random: int) -> Iterator[Case]:
    """Yield every workload in every mode, then `random` short traces."""
    for name, make in workloads(scale).items():
        events = make()
        yield from in_every_mode(name, events)
    if SYSTEMUI.exists():
        trace = on_one_thread(open_trace(str(SYSTEMUI)))
        calls: Any = np.concatenate([chunk.copy() for chunk in trace.chunks]).view(np.recarray)
        yield from in_every_mode("systemui", plain_events(calls))
    yield from random_cases(random)


def in_every_mode(name: str, events: Any) -> Iterator[Case]:
    """Yield a workload in every mode."""
    limit = memory_limit(events)
    for mode in MODES:
        yield name, events, {**mode, "GOMEMLIMIT": limit} if "GOMEMLIMIT" in mode else mode


def line(name: str, mode: dict[str, int], found: GoEquality) -> str:
    """Return the line that reports the result of a case."""
    settings = " ".join(f"{key}={value}" for key, value in mode.items())
    user, system = found.real.nanoseconds
    return (
        f"{found.equal:>5} of {len(found.rows):>5} equal, "
        f"{found.equal_addresses:>7,} of {found.allocations:>7,} addresses  {name}  {settings}  "
        f"({found.collections} collections; Go: {user:.0f}+{system:.0f} ns/event)"
    )


@click.command()
@click.option("--every", default=500, show_default=True, help="Events between two checkpoints.")
@click.option("--only", default="", help="Only workloads whose name contains this.")
@click.option("--scale", default=100, show_default=True, help="Events of a workload, in thousands.")
@click.option("--random", default=200, show_default=True, help="Number of short random traces.")
@click.option("--quick", is_flag=True, help="Shorter traces; takes less than two minutes.")
def main(every: int, only: str, scale: int, random: int, quick: bool) -> None:
    """Compare the design go with the runtime of Go 1.27, address by address."""
    totals = np.zeros(4, np.int64)
    try:
        go_root()
    except EnvironmentLacks as missing:
        click.echo(f"skipped: {missing}", err=True)
        sys.exit(3)
    for name, events, mode in cases(20 if quick else scale, 20 if quick else random):
        if only in name:
            found = compare_with_go(events, every, mode)
            click.echo(line(name, mode, found))
            if found.first_difference():
                click.echo(f"      {found.first_difference()}")
            addresses = (found.equal_addresses, found.allocations)
            totals += (found.equal, len(found.rows), *addresses)
    click.echo("{:,} of {:,} checkpoints and {:,} of {:,} addresses equal".format(*totals.tolist()))
    sys.exit(bool(totals[0] != totals[1] or totals[2] != totals[3]))


if __name__ == "__main__":
    main()
