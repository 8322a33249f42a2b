"""scripts/verify-glibc: compare the design glibc with the malloc of this machine.

Every workload is replayed on both; workloads of several threads run on OS threads in lock step. The
comparison covers the fields of mallinfo2 at checkpoints, the place of each event's object and the
size word of the object's chunk (see `glibc_places.replay_places`), and the output of malloc_info at
the end. Exits with 1 unless all are equal, and with 3 if this machine has another version of glibc.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import click

from allocsim.errors import EnvironmentLacks
from tests.equality import glibc_workloads as own
from tests.equality import workloads as made
from tests.equality.glibc_equality import EVERY, compare_with_library, require_modelled_library
from tests.equality.verify_tcmalloc import SYSTEMUI, systemui

Case = tuple[str, Callable[[], Any], dict[str, int]]

SETTINGS: tuple[dict[str, int], ...] = (
    {"tcache_count": 0},
    {"tcache_count": 50},
    {"tcache_max": 200},
    {"tcache_unsorted_limit": 2},
    {"mxfast": 0},
    {"mxfast": 160},
    {"mmap_threshold": 20_000},
    {"mmap_threshold": 8 << 20},
    {"trim_threshold": 1 << 20},
    {"trim_threshold": 0},
    {"top_pad": 0},
    {"top_pad": 1 << 20},
    {"mmap_max": 0},
    {"mmap_max": 2},
)
"""Settings of tunables other than their defaults."""

ON_THREADS: tuple[dict[str, int], ...] = (
    {"arena_max": 1},
    {"arena_max": 4},
    {"arena_test": 2},
    {"tcache_count": 0},
    {"top_pad": 0},
    {"trim_threshold": 1 << 20, "mmap_threshold": 1 << 20},
)
"""Settings for several threads."""

WORKLOADS: dict[str, Callable[[], made.Workload]] = {
    "small churn": lambda: made.churn(200_000, 5000, made.uniform(1024), 1),
    "tiny churn": lambda: made.churn(200_000, 50_000, made.uniform(64), 2),
    "all sizes": lambda: made.churn(100_000, 3000, made.log_uniform(1 << 20), 3),
    "phases": lambda: made.phases(4, 40),
    "large only": lambda: made.churn(10_000, 100, made.log_uniform(6 << 20, 1 << 18), 5),
    "reallocs": lambda: made.reallocs(60_000, 6),
    "memalign, calloc": lambda: made.aligned(40_000, 7),
    "release on request": lambda: made.requested_releases(40_000, 9),
    "first in, first out": lambda: own.fifo(100_000, 3000, made.log_uniform(40_000), 21),
    "equal large sizes": lambda: own.equal_large_sizes(60_000, 22),
    "borders of sizes": lambda: own.borders(60_000, 23),
    "thresholds": lambda: own.thresholds(24),
    "10,000 unsorted chunks": lambda: own.many_unsorted(25),
    "66,000 mappings": lambda: own.many_mappings(26),
}
"""Workloads of one thread."""

THREADED: dict[str, Callable[[], made.Workload]] = {
    "queue between threads": lambda: made.queue_between_threads(60_000, 12),
    "eight threads": lambda: made.stealing(60_000, 13),
    "heaps of 64 MiB": lambda: own.heap_limits(27),
    "heaps of 64 MiB, four threads": lambda: own.heap_limits(28, (1, 2, 3, 4)),
}


def cases(seeds: int) -> Iterator[Case]:
    """Yield every workload with its settings, and `seeds` random workloads."""
    for name, make in {**WORKLOADS, **THREADED}.items():
        yield name, lambda make=make: make().events(), {}  # type: ignore[misc]
    for setting in SETTINGS:
        for name in ("all sizes", "reallocs", "borders of sizes"):
            yield name, lambda name=name: WORKLOADS[name]().events(), setting  # type: ignore[misc]
    for setting in ON_THREADS:
        for name in ("queue between threads", "eight threads"):
            yield name, lambda name=name: THREADED[name]().events(), setting  # type: ignore[misc]
    for seed in range(seeds):
        make_one = lambda seed=seed: own.anything(3000, seed).events()  # noqa: E731
        yield f"anything, seed {seed}", make_one, own.tunables(seed)
    if SYSTEMUI.exists():
        yield "systemui, one thread", lambda: systemui("one"), {}
        yield "systemui, its threads", lambda: systemui("recorded"), {}
        for setting in SETTINGS:
            yield "systemui, one thread, 250,000", lambda: systemui("one", 250_000), setting
        for setting in ON_THREADS:
            yield "systemui, its threads, 250,000", lambda: systemui("recorded", 250_000), setting


@click.command()
@click.option("--every", default=EVERY, show_default=True, help="Events between two checkpoints.")
@click.option("--only", default="", help="Only workloads whose name contains this.")
@click.option("--seeds", default=200, show_default=True, help="Number of random workloads.")
def main(every: int, only: str, seeds: int) -> None:
    """Compare the design glibc with this machine's library, address by address."""
    checkpoints = equal = places = equal_places = workloads = equal_infos = 0
    try:
        require_modelled_library()
    except EnvironmentLacks as missing:
        click.echo(f"skipped: {missing}", err=True)
        sys.exit(3)
    for name, make, setting in cases(seeds):
        if only not in name:
            continue
        found = compare_with_library(make(), every, **setting)
        settings = " ".join(f"{key}={value}" for key, value in setting.items())
        click.echo(
            f"{found.equal:>5} of {found.checkpoints:>5} checkpoints, {found.equal_places:>7,} of "
            f"{found.places:>7,} places equal  {name}  {settings}"
        )
        if found.first_difference():
            click.echo(f"      {found.first_difference()}")
        checkpoints, equal = checkpoints + found.checkpoints, equal + found.equal
        places, equal_places = places + found.places, equal_places + found.equal_places
        workloads, equal_infos = workloads + 1, equal_infos + found.has_equal_info
    click.echo(
        f"{equal:,} of {checkpoints:,} checkpoints, {equal_places:,} of {places:,} places and "
        f"malloc_info of {equal_infos} of {workloads} workloads equal"
    )
    sys.exit((equal, equal_places, equal_infos) != (checkpoints, places, workloads))


if __name__ == "__main__":
    main()
