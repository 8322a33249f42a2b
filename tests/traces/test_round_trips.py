"""Recordings of real programs, written and read back: the same events in any container.

Each sample is written as an allocsim trace and as Android's text. One sample is also packed in
every container. All fields of the events are compared except object ids, which a reader assigns
itself.
"""

import bz2
import gzip
import io
import lzma
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from allocsim.core.jit import PURE
from allocsim.traces import open_trace
from allocsim.traces.native.file import write_trace
from allocsim.traces.writers.aosp import write_aosp
from tests.traces.totals import SAMPLES

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LONG = 4096
"""Pure Python skips recordings of at least this compressed size in bytes: they take too long."""

RECORDINGS = [
    path
    for path in sorted(SAMPLES.iterdir())
    if path.suffix in (".gz", ".zst", ".bin") and "aggregate" not in path.name
]
SHORT = [path for path in RECORDINGS if not PURE or path.stat().st_size < LONG]

samples = pytest.mark.parametrize("path", SHORT, ids=lambda path: path.name)


def events_of(path: Path) -> Any:
    """All events of a trace."""
    if path.name.startswith("memray"):
        pytest.importorskip("memray", reason="memray reads its own captures")
    chunks = [chunk.copy() for chunk in open_trace(str(path)).chunks]
    return np.concatenate(chunks)


def allocation_of(events: Any) -> np.ndarray:
    """For each event, the number of the allocation that created its object."""
    allocations, current = 0, dict[int, int]()
    numbers = []
    for op, number in zip(events["op"].tolist(), events["object"].tolist(), strict=True):
        if op <= 2:
            current[number] = allocations
            allocations += 1
        numbers.append(current.get(number, -1) if op <= 4 else -1)
    return np.array(numbers)


def assert_same_events(found: Any, expected: Any) -> None:
    for name in ("op", "request", "thread", "alignment"):
        assert (found[name] == expected[name]).all(), name
    assert (allocation_of(found) == allocation_of(expected)).all()


@samples
def test_our_own_file_gives_back_every_event(path: Path, tmp_path: Path) -> None:
    expected = events_of(path)
    write_trace(open_trace(str(path)), tmp_path / "kept.allocsim")
    assert (events_of(tmp_path / "kept.allocsim") == expected).all()


@samples
def test_android_text_gives_back_every_event(path: Path, tmp_path: Path) -> None:
    expected = events_of(path)
    write_aosp(open_trace(str(path)), tmp_path / "kept.txt")
    assert_same_events(events_of(tmp_path / "kept.txt"), expected)


def zipped(content: bytes) -> bytes:
    """A zip of one file."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("trace", content)
    return packed.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gz": gzip.compress,
    "zst": zstd.compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "zip": zipped,
}


@pytest.mark.parametrize("container", PACKERS)
def test_container_changes_nothing(container: str, tmp_path: Path) -> None:
    sample = SAMPLES / "shell.lttng.gz"
    packed = tmp_path / "packed"
    packed.write_bytes(PACKERS[container](gzip.decompress(sample.read_bytes())))
    assert (events_of(packed) == events_of(sample)).all()


def test_there_are_recordings_of_each_recorder() -> None:
    kinds = {path.name.split(".")[1].removesuffix("-raw") for path in RECORDINGS}
    assert kinds >= {
        "mtrace", "lttng", "valgrind", "ltrace", "logalloc", "heaptrack",
        "glibc-mtrace", "glibc-wl", "csapp",
    }  # fmt: skip
