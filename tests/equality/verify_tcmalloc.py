"""scripts/verify-tcmalloc: compare the design tcmalloc with the installed library.

Every workload is replayed on both; all counters and the address of every live object are compared
at each checkpoint. Exits with 1 after the first difference, or with 3 if the library is not
installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

from allocsim.errors import EnvironmentLacks
from allocsim.events import on_one_thread
from allocsim.traces import open_trace
from tests.equality import workloads as made
from tests.equality.equality import EVERY, compare_with_library, require_modelled_library

SYSTEMUI = Path(__file__).parents[3] / "shared" / "traces" / "systemui.zip"

Case = tuple[str, Callable[[], Any], dict[str, int]]

SETTINGS: tuple[dict[str, int], ...] = (
    {"max_total_thread_cache_bytes": 1},
    {"max_total_thread_cache_bytes": 1 << 20},
    {"transfer_num_obj": 8},
    {"transfer_num_obj": 128},
    {"release_rate": 0},
    {"release_rate": 10},
    {"aggressive_decommit": 1},
)
"""Parameters of the library, each with a value other than the default."""


def systemui(threads: str, length: int | None = None) -> Any:
    """Return the events of the recorded trace: all, or the first `length`."""
    trace = open_trace(str(SYSTEMUI))
    chunks = (on_one_thread(trace) if threads == "one" else trace).chunks
    events = np.concatenate([chunk.copy() for chunk in chunks]).view(np.recarray)
    return events[:length]


def cases() -> Iterator[Case]:
    """Yield every workload with its settings."""
    log = made.log_uniform(1 << 20)
    medium = made.log_uniform(4 << 20, 1 << 14)
    plain: dict[str, Callable[[], made.Workload]] = {
        "small churn": lambda: made.churn(200_000, 5000, made.uniform(1024), 1),
        "tiny churn": lambda: made.churn(200_000, 50_000, made.uniform(64), 2),
        "all sizes": lambda: made.churn(100_000, 3000, log, 3),
        "phases": lambda: made.phases(4, 40),
        "large only": lambda: made.churn(10_000, 100, made.log_uniform(6 << 20, 1 << 18), 5),
        "reallocs": lambda: made.reallocs(60_000, 6),
        "memalign, calloc": lambda: made.aligned(40_000, 7),
        "over 2 GiB freed": lambda: made.churn(20_000, 120, medium, 8),
        "release on request": lambda: made.requested_releases(40_000, 9),
        "forced coalescing": lambda: made.forced_coalescing(10),
        "a heap of 8 GiB": lambda: made.huge_heap(11),
    }
    threaded: dict[str, Callable[[], made.Workload]] = {
        "queue between threads": lambda: made.queue_between_threads(60_000, 12),
        "stealing of cache size": lambda: made.stealing(60_000, 13),
    }
    for name, make in {**plain, **threaded}.items():
        yield name, lambda make=make: make().events(), {}  # type: ignore[misc]
    limit = {"max_total_thread_cache_bytes": 2 << 20}
    yield "stealing, small limit", lambda: made.stealing(60_000, 14).events(), limit
    for setting in SETTINGS:
        for name in ("all sizes", "phases", "over 2 GiB freed", "forced coalescing"):
            yield name, lambda name=name: plain[name]().events(), setting  # type: ignore[misc]
    if SYSTEMUI.exists():
        yield "systemui, one thread", lambda: systemui("one"), {}
        yield "systemui, its threads", lambda: systemui("recorded", 200_000), {}


@click.command()
@click.option("--every", default=EVERY, show_default=True, help="Events between two checkpoints.")
@click.option("--only", default="", help="Only workloads whose name contains this.")
def main(every: int, only: str) -> None:
    """Compare the design tcmalloc with the installed library, counter by counter."""
    compared = equal = 0
    try:
        require_modelled_library()
    except EnvironmentLacks as missing:
        click.echo(f"skipped: {missing}", err=True)
        sys.exit(3)
    for name, make, setting in cases():
        if only not in name:
            continue
        result = compare_with_library(make(), every, **setting)
        settings = " ".join(f"{key}={value}" for key, value in setting.items())
        click.echo(f"{result.equal:>5} of {result.checkpoints:>5} equal  {name}  {settings}")
        if result.first_difference():
            click.echo(f"      {result.first_difference()}")
        compared += result.checkpoints
        equal += result.equal
    click.echo(f"{equal:,} of {compared:,} checkpoints equal")
    sys.exit(equal != compared)


if __name__ == "__main__":
    main()
