"""Reading of plain allocsim traces: chunk by chunk, even if the file changes meanwhile."""

import gc
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from allocsim.errors import TraceError
from allocsim.events import CHUNK, EVENT, on_one_thread
from allocsim.traces.native import header
from allocsim.traces.native.file import read_trace, write_trace
from tests.driving import malloc, stream_of
from tests.traces.native.conftest import CALLS
from tests.traces.recordings import events_of
from tests.traces.streams import trace_of


@pytest.fixture
def long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sparse file of 128 chunks and 5 events, all zeros, which are read but not validated."""
    path = tmp_path / "long.allocsim"
    write_trace(trace_of([malloc(0, 1)]), path)
    content = path.read_bytes()[: -EVENT.itemsize]
    rows = 128 * CHUNK + 5
    layout = header.parse_layout(content, "long")
    about = header.parse_description(content, layout, "long")
    path.write_bytes(header.encode_header(about, layout.begin, rows))
    with path.open("r+b") as file:
        file.truncate(layout._replace(rows=rows).length)
    monkeypatch.setattr(
        "allocsim.traces.native.file._require_valid", lambda chunk, *_: chunk.request.max()
    )
    return path


def test_every_chunk_has_an_array_of_its_own(long: Path) -> None:
    chunks = list(read_trace(long).chunks)
    assert [len(chunk) for chunk in chunks] == [CHUNK] * 128 + [5]
    assert all(isinstance(chunk, np.recarray) for chunk in chunks)
    assert len({chunk.ctypes.data for chunk in chunks}) == 129


def test_memory_does_not_depend_on_the_length_of_the_file(long: Path) -> None:
    """Of 64 MiB, less than 4 are in memory at a time."""
    tracemalloc.start()
    assert sum(len(chunk) for chunk in read_trace(long).chunks) == 128 * CHUNK + 5
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


def test_chunk_in_use_survives_a_file_that_shrinks(long: Path) -> None:
    trace = read_trace(long)
    chunk = next(trace.chunks)
    os.truncate(long, 0)
    assert int(chunk.request.sum()) == 0


def open_files() -> int:
    """Number of file descriptors of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_file_is_closed_with_its_trace(stored: Path) -> None:
    gc.collect()  # closes files of earlier tests
    before = open_files()
    traces = [read_trace(stored) for _ in range(3)]
    assert open_files() == before + 3
    traces[0].close()
    next(traces[1].chunks)
    traces[1].close()
    traces.clear()
    gc.collect()
    assert open_files() == before


@pytest.mark.parametrize("rows", [0, 1, CHUNK, 2 * CHUNK])
def test_file_truncated_while_read_is_an_error(long: Path, rows: int) -> None:
    trace = read_trace(long)
    next(trace.chunks)
    os.truncate(long, header.PAGE + rows * EVENT.itemsize)
    with pytest.raises(TraceError, match=r"long\.allocsim: the file is cut off: it has .* bytes"):
        next(trace.chunks)


def test_file_replaced_while_read_is_read_unchanged(long: Path) -> None:
    trace = read_trace(long)
    next(trace.chunks)
    (long.parent / "other").write_bytes(b"another")
    (long.parent / "other").replace(long)
    assert sum(map(len, trace.chunks)) == 127 * CHUNK + 5


def test_writing_into_a_chunk_leaves_the_file(stored: Path) -> None:
    before = stored.read_bytes()
    for chunk in read_trace(stored).chunks:
        chunk.thread[:] = 7
    assert stored.read_bytes() == before


def test_chunk_outlives_its_trace(stored: Path) -> None:
    first, *_ = read_trace(stored).chunks
    stored.unlink()
    assert first.tolist() == stream_of(CALLS).tolist()


def test_stored_trace_works_on_one_thread(stored: Path) -> None:
    events = events_of(on_one_thread(read_trace(stored)))
    assert set(events.thread.tolist()) == {0}
    assert set(events_of(read_trace(stored)).thread.tolist()) != {0}


def test_file_that_cannot_be_read_is_an_error(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> object:
        raise OSError(5, "Input/output error")

    for call in ("pread", "preadv"):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, fail)
            with pytest.raises(TraceError, match=r"small\.allocsim: cannot be read: Input/output"):
                next(read_trace(stored).chunks)
