"""Call sites for tests: a random table, a trace with sites, and the stacks of its events."""

import random
from collections.abc import Iterable
from typing import Any

import numpy as np

from allocsim.call_sites.frame import Frame
from allocsim.call_sites.numbers import CallSites
from allocsim.call_sites.table import SiteTable, table_of_addresses
from allocsim.events import Op, Trace
from allocsim.traces.formats import Format
from allocsim.traces.recording import events_of
from tests.driving import Call
from tests.traces.recordings import in_memory
from tests.traces.streams import trace_of

Row = tuple[int, int, tuple[Frame, ...]]
"""Operation, bytes and stack of an event."""

SITES = 40
"""Number of sites in a random table, including site 0."""

FRAMES = [
    Frame("main", "/src/app.cpp", 26, "/bin/app"),
    Frame("serve", "/src/app.cpp", 19, "/bin/app"),
    Frame("operator new(unsigned long)", "", 0, "/lib/libstdc++.so.6"),
    Frame("malloc", "", 0, "/lib/libc.so.6"),
    Frame("libx.so+0x1f", "", 0, "/lib/libx.so"),
    Frame("remember", "/src/p.py", 6),
]


def random_table(seed: int, sites: int = SITES) -> SiteTable:
    """Return a table of `sites` stacks, some of which have inlined functions."""
    rng = random.Random(seed)
    chains = [rng.sample(FRAMES, rng.randint(1, 3)) for _ in range(12)]
    parents = [0, *(rng.randrange(row) for row in range(1, sites))]
    return table_of_addresses(parents, [rng.randrange(12) for _ in range(sites)], chains)


def with_sites(calls: Iterable[Call], table: SiteTable, numbers: Iterable[int]) -> Trace:
    """Return the calls as a trace whose allocating events have these site numbers."""
    trace = trace_of(calls)
    trace.sites = CallSites()
    trace.sites.table = table
    trace.sites.put(np.array([*numbers], np.uint32))
    return trace


def random_trace(calls: list[Call], seed: int) -> Trace:
    """Return the calls as a trace; about half of the allocations have site 0, the unknown site.

    The sites of the others are chosen at random from a random table.
    """
    rng = random.Random(seed)
    count = sum(call.op <= Op.REALLOC for call in calls)
    numbers = [rng.choice((0, rng.randrange(SITES))) for _ in range(count)]
    return with_sites(calls, random_table(seed), numbers)


def stacks_of(trace: Trace) -> list[Row]:
    """Return the operation, bytes and stack of each event, and consume the trace."""
    assert trace.sites is not None
    rows: list[tuple[int, int, Any]] = []
    for events in trace.chunks:
        numbers = trace.sites.of(events).tolist()
        rows += zip(events.op.tolist(), events.request.tolist(), numbers, strict=True)
    table = trace.sites.table
    return [(op, request, tuple(table.stack(number))) for op, request, number in rows]


def stacks_in(
    content: bytes, form: Format
) -> tuple[list[tuple[int, int, tuple[Frame, ...]]], Trace]:
    """Read `content`; return the operation, bytes and stack of each event, and the trace."""
    reader = form.open(in_memory(content))
    reader.sites = CallSites()
    trace = Trace("memory", iter(()), {}, notes=reader.notes, sites=reader.sites)
    trace.chunks = events_of(reader, trace)
    return stacks_of(trace), trace
