"""Run programs under the recorder and an independent counter, and compare the two.

A process runs one program image until it calls exec, which begins another. The recorder makes a
recording of each image. The counter (`counter.c`) writes a page of counters for each image.
"""

import os
import struct
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allocsim.recorders.preload.clock import is_tsc_trusted
from allocsim.trace_stats import TraceStats, collect_stats
from allocsim.traces.preload.images import Image, find_images
from allocsim.traces.preload.trace import ImageTrace, open_image

HERE = Path(__file__).parent

FIELDS = (
    *("malloc", "calloc", "realloc", "memalign", "posix_memalign", "aligned_alloc", "valloc"),
    *("pvalloc", "free", "new", "delete", "live", "peak", "failed", "process"),
)
"""Fields of a page of counters, in the order of counter.c."""

CALLS = FIELDS[:10]
"""Calls that are compared. `free` includes operator delete: if a malloc library does not define a
form of operator delete, libstdc++'s form calls another form or free, so the counter and the
recorder may give such a call different names."""


@dataclass(frozen=True)
class Recorded:
    """A run of a program: its recorded images, and the counters of its processes."""

    status: int
    out: str
    images: list[Image]
    counted: dict[int, list[dict[str, int]]]
    """For each process id: a dict of counters for each image."""

    def trace(self, image: Image) -> ImageTrace:
        """Open the recorded trace of an image."""
        return open_image(image, self.images, 1.0)

    def counts(self, image: Image) -> dict[str, int]:
        """Return the figures of the independent counter for an image."""
        same = [other for other in self.images if other.process == image.process]
        page = self.counted[image.process][same.index(image)]
        return page | {"free": page["free"] + page["delete"]}


@dataclass(frozen=True)
class Chain:
    """Runs a program with the counter and the recorder preloaded, in this order."""

    recorder: Path
    counter: Path | None
    place: Path

    def __call__(
        self,
        *command: str,
        tsc: bool = True,
        sites: bool = False,
        status: int = 0,
        **options: Any,
    ) -> Recorded:
        recordings, counters = self.place / "allocsim-recording", self.place / "counters"
        recordings.mkdir()
        counters.mkdir()
        environment = {
            **os.environ,
            "LD_PRELOAD": " ".join(map(str, filter(None, (self.counter, self.recorder)))),
            "ALLOCSIM_RECORD": str(recordings),
            "COUNTER_DIRECTORY": str(counters),
        }
        if tsc and is_tsc_trusted():
            environment["ALLOCSIM_RECORD_TSC"] = "1"
        if sites:
            environment["ALLOCSIM_RECORD_SITES"] = "1"
        ended = subprocess.run(
            command, env=environment, capture_output=True, check=False, timeout=300, **options
        )
        assert ended.returncode == status, ended.stderr[-2000:]
        counted = _counters(counters)
        return Recorded(
            ended.returncode, os.fsdecode(ended.stdout), find_images(recordings), counted
        )


def _counters(directory: Path) -> dict[int, list[dict[str, int]]]:
    """Return the pages of counters that were written, for each process id."""
    found: dict[int, list[dict[str, int]]] = {}
    for path in sorted(directory.iterdir(), key=lambda path: [*map(int, path.name.split("."))]):
        values = struct.unpack_from(f"={len(FIELDS)}Q", path.read_bytes())
        page = dict(zip(FIELDS, values, strict=True))
        found.setdefault(page["process"], []).append(page)
    return found


def calls_of(trace: ImageTrace) -> dict[str, int]:
    """Return the number of recorded calls under each name in CALLS.

    The trace must have been read to its end.
    """
    kinds = dict(trace.reader.calls_by_kind)
    kinds["realloc"] = kinds.pop("realloc", 0) + kinds.pop("reallocarray", 0)
    kinds["new"] = kinds.pop("operator new", 0) + kinds.pop("operator new(align_val_t)", 0)
    kinds["free"] = kinds.pop("free", 0) + kinds.pop("operator delete", 0)
    return {name: kinds.get(name, 0) for name in CALLS}


def require_equal(recorded: Recorded, image: Image) -> tuple[ImageTrace, TraceStats]:
    """Check that the recorder saw each counted call; return the trace and its statistics."""
    trace = recorded.trace(image)
    stats = collect_stats(trace)
    counts = recorded.counts(image)
    assert calls_of(trace) == {name: counts[name] for name in CALLS}
    assert trace.dropped.get("failed call", 0) == counts["failed"]
    assert {"free of unknown", "overlap", "realloc of unknown"}.isdisjoint(trace.dropped)
    if trace.reader.threads <= 1:
        assert stats.peak_live == counts["peak"]
    return trace, stats


def require_all_equal(recorded: Recorded) -> Sequence[ImageTrace]:
    """Check that the recorder saw each call of each image; return the traces."""
    assert recorded.images
    return [require_equal(recorded, image)[0] for image in recorded.images]
