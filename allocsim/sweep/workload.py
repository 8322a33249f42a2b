"""The workloads of a sweep: their events in memory, identified by their SHA-256.

A workload is read once. Local processes map its events; a worker on another machine gets a copy,
which is checked by the hash.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass

from allocsim.benchmark.event_file import EventFile, write_events
from allocsim.errors import InputError
from allocsim.text import encodable
from allocsim.workloads import open_workload

_PART = 1 << 24
"""Bytes that are read at once."""


@dataclass(frozen=True)
class Workload:
    """A workload whose events have been read."""

    name: str
    seed: int | None
    events: EventFile
    trace: str
    """SHA-256 of the events."""


def read_workloads(names: Sequence[str], seeds: Sequence[int], recorded: bool) -> list[Workload]:
    """Read every workload; a generated one is read once for each seed.

    With `recorded`, events keep their threads; otherwise all events are on thread 0. Raises
    InputError if a workload cannot be read or is empty, if seeds are given but none of the
    workloads is a generated one, or if two workloads have the same events. Raises EnvironmentLacks
    if the events do not fit in memory.
    """
    workloads: list[Workload] = []
    for name in names:
        workloads += _read_all(name, seeds, recorded)
    if seeds and all(each.seed is None for each in workloads):
        raise InputError("no workload is generated from a seed; omit --seed")
    for each in workloads:
        same = next(other for other in workloads if other.trace == each.trace)
        if same is not each:
            if each.name == same.name and each.seed != same.seed:
                raise InputError(
                    f"{each.name} has the same events with the seeds {same.seed} and {each.seed}; "
                    "use one seed"
                )
            raise InputError(f"{each.name} and {same.name} have the same events")
    return workloads


def content_of(events: EventFile) -> bytes:
    """Return the bytes of a file of events."""
    length, parts = os.fstat(events.descriptor).st_size, list[bytes]()
    for position in range(0, length, _PART):
        parts.append(os.pread(events.descriptor, _PART, position))
    return b"".join(parts)


def hash_of(content: bytes) -> str:
    """Return the SHA-256 of the bytes of a file of events."""
    return hashlib.sha256(content).hexdigest()


def _read_all(name: str, seeds: Sequence[int], recorded: bool) -> list[Workload]:
    """Read a workload, once for each seed if it is generated."""
    trace = open_workload(name)
    if trace.is_recorded or not seeds:
        return [_read(name, trace.seed, write_events(trace, recorded=recorded))]
    trace.close()
    return [
        _read(name, seed, write_events(open_workload(name, seed), recorded=recorded))
        for seed in seeds
    ]


def _read(name: str, seed: int | None, events: EventFile) -> Workload:
    """Return a workload, with the hash of its events; raise InputError if it has no events."""
    if not events.events:
        raise InputError(f"{name} has no events to measure")
    digest = hashlib.sha256()
    length = os.fstat(events.descriptor).st_size
    for position in range(0, length, _PART):
        digest.update(os.pread(events.descriptor, _PART, position))
    # Results are stored as JSON, which cannot hold a file name that is not UTF-8.
    return Workload(encodable(name), seed, events, digest.hexdigest())
