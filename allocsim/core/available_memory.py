"""The memory that a run may use, limited by the machine and by the process's control groups.

A trace of 30 bytes can request more memory than the machine has. Linux grants the request, because
only writing to the memory uses it. When no memory is left, the kernel kills a process, or the
machine stops responding. A run for which the user sets no limit is therefore bounded by the memory
that is available.

A process is limited by its control group and by each of the group's ancestors (version 1:
memory.limit_in_bytes; version 2: memory.max and memory.high). The kernel counts a group's page
cache as used, but can reclaim it. Here the inactive part of the cache therefore counts as
available.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from allocsim.errors import OutOfMemory
from allocsim.text import distinct_bytes, format_bytes

UNBOUNDED = 1 << 62
"""A number of bytes that no run reaches."""

SHARE, MAX_SHARE, RESERVE = 0.75, 0.875, 0.125
"""Shares of the memory that is available when a run starts.

A run stops when its footprint reaches SHARE. The rest is for the driver's table (16 bytes for each
object), for page tables (8 bytes for each page), and for other processes. It also covers the error
of MemAvailable, which is an estimate. No single request may bring the footprint above MAX_SHARE.

Other processes take memory too. Therefore a run also stops when less than RESERVE is left, but only
if its own heap is larger than the memory left. Stopping a run with a smaller heap would free too
little."""

INTERVAL = 0.05
"""Seconds between two readings of the available memory. A reading takes 0.1 ms. Between two
readings, a run writes about 0.1 GB."""


class Hierarchy(NamedTuple):
    """The mount point of memory control groups, and the names of their files."""

    mount: str
    controller: str
    """A controller in the hierarchy's line of /proc/self/cgroup; "" in version 2."""
    limits: tuple[str, ...]
    usage: str
    cache: str
    """The field of memory.stat with the bytes of inactive page cache."""


_V2 = ("", ("memory.max", "memory.high"), "memory.current", "inactive_file")

HIERARCHIES = (
    Hierarchy("sys/fs/cgroup", *_V2),
    Hierarchy("sys/fs/cgroup/unified", *_V2),  # on a system that mounts both versions
    Hierarchy(
        "sys/fs/cgroup/memory",
        "memory",
        ("memory.limit_in_bytes",),
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)


def available_memory(root: Path = Path("/")) -> int:
    """Return how many bytes this process can use now, or UNBOUNDED if the system does not say.

    `root` is the directory that has `proc` and `sys`.
    """
    kibibytes = _field(root / "proc/meminfo", "MemAvailable:", UNBOUNDED // 1024)
    bounds = [1024 * kibibytes]
    for hierarchy in HIERARCHIES:
        for group in _groups(root, hierarchy):
            limit = min(_number(group / name, UNBOUNDED) for name in hierarchy.limits)
            if limit < UNBOUNDED:
                cache = _field(group / "memory.stat", hierarchy.cache, 0)
                bounds.append(max(limit - _number(group / hierarchy.usage, 0) + cache, 0))
    return min(bounds)


class MemoryBound:
    """The bound of a run, computed from the memory that is available at its start."""

    def __init__(self, available: Callable[[], int] = available_memory) -> None:
        self._available = available
        self.at_start = available()
        self.heap = int(self.at_start * SHARE)
        """Footprint in bytes at which a run stops."""
        self.request = int(self.at_start * MAX_SHARE)
        """Maximum footprint in bytes that a single request may lead to."""
        self._next_reading = time.monotonic() + INTERVAL

    def __str__(self) -> str:
        """Return the bound and the remedy, as the end of an error message."""
        return _bound_text(format_bytes(self.heap))

    def exceeded_by(self, footprint: int) -> tuple[str, str]:
        """Return two parts of an error message: the footprint, and the bound with the remedy.

        `footprint` is in bytes, and exceeds the bound.
        """
        texts = distinct_bytes(footprint, self.heap)
        return texts[0], _bound_text(texts[1])

    def require_left(self, footprint: Callable[[], int], interval: float = INTERVAL) -> None:
        """Raise OutOfMemory if memory runs short.

        The available memory is read at most once in `interval` seconds; all other calls do nothing.
        `footprint` returns the footprint of the run's own heap in bytes.
        """
        if time.monotonic() < self._next_reading:
            return
        self._next_reading = time.monotonic() + interval
        left = self._available()
        if left < self.at_start * RESERVE and left < footprint():
            raise OutOfMemory(
                f"memory runs short: {format_bytes(left)} is available, of "
                f"{format_bytes(self.at_start)} at the start; use --limit to continue anyway"
            )


def _bound_text(heap: str) -> str:
    """Return the text of the bound `heap`, with the remedy."""
    return (
        f"the {heap} that a run may use, {SHARE:.0%} of the available memory; use --limit to set "
        "another limit"
    )


def _groups(root: Path, hierarchy: Hierarchy) -> Iterator[Path]:
    """Yield the directories of this process's control groups, from the innermost to the root.

    In a container the innermost ones may be missing, since only a part of the tree is mounted.
    """
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if hierarchy.controller in controllers.split(","):
            names = path.strip("/").split("/")
            for depth in range(len(names), -1, -1):
                yield (root / hierarchy.mount).joinpath(*names[:depth])


def _number(file: Path, default: int) -> int:
    """Return the number in a file, or `default` if the file is missing or says "max"."""
    text = next(iter(_lines(file)), "")
    return int(text) if text.isdecimal() else default


def _field(file: Path, name: str, default: int) -> int:
    """Return the number after `name` in a file of names and numbers, or `default` if missing."""
    for line in _lines(file):
        words = line.split()
        if len(words) > 1 and words[0] == name and words[1].isdecimal():
            return int(words[1])
    return default


def _lines(file: Path) -> list[str]:
    """Return the lines of a file, or [] if the file cannot be read."""
    try:
        return file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
