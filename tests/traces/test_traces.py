"""The interface of a recorded trace: description, notes, dropped calls."""

import threading
from pathlib import Path

import pytest

from allocsim.core.jit import PURE
from allocsim.errors import TraceError
from allocsim.events import Op, on_one_thread
from allocsim.traces import event_maker, object_ids, open_trace
from allocsim.traces.prefetch import call_arrays
from allocsim.traces.scan import line_reader
from tests.traces.conftest import Recorded
from tests.traces.recordings import events_of, read, read_bytes, rows_of


def test_trace_describes_its_origin(tmp_path: Path) -> None:
    path = tmp_path / "my.txt"
    path.write_text("1: malloc 0x10 5\n")
    trace = open_trace(str(path))
    assert trace.name == str(path)
    assert trace.description == {"kind": "trace", "file": str(path), "format": "aosp"}
    assert (trace.length, trace.seed) == (None, None)
    assert trace.progress() == 0.0
    events_of(trace)
    assert trace.progress() == 1.0


def test_dropped_calls_are_counted_under_all_their_reasons(recorded: Recorded) -> None:
    _, trace = recorded(
        "1: free 0x0\n1: free 0x0\n1: malloc 0x0 5\n1: free 0x99\n1: malloc 0x10 1\n"
        "1: malloc 0x10 1\n1: realloc 0x20 0x99 1\n1: malloc 0x30 999999999999999\n"
    )
    assert trace.dropped == {
        "free of NULL": 2,
        "failed call": 1,
        "free of unknown": 1,
        "overlap": 1,
        "realloc of unknown": 1,
        "impossible size": 1,
    }
    assert all(type(count) is int for count in trace.dropped.values())


def test_recording_without_events_has_a_note(recorded: Recorded) -> None:
    events, trace = recorded("1: free 0x0\n1: thread_done 0x0\n")
    assert events == []
    assert trace.notes == ["no call of the recording became an event"]
    assert trace.dropped == {"free of NULL": 1}


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_chunks_hold_two_events_for_each_call_of_a_batch(
    monkeypatch: pytest.MonkeyPatch, batch: int, tmp_path: Path
) -> None:
    """A malloc that returns a live address makes two events, a free and a malloc."""
    path = tmp_path / "trace.txt"
    path.write_text("1: malloc 0x10 5\n" * 20)
    whole, _ = read(path)
    monkeypatch.setattr(event_maker, "BATCH", batch)
    trace = open_trace(str(path))
    chunks = [chunk.copy() for chunk in trace.chunks]
    assert max(len(chunk) for chunk in chunks) <= 2 * batch
    assert [row for chunk in chunks for row in rows_of(chunk)] == whole
    assert len(whole) == 39


def test_table_of_live_objects_grows_during_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_maker, "new_object_ids", lambda **_: object_ids.new_object_ids(4))
    lines = "".join(f"1: malloc {16 * i:#x} {i}\n" for i in range(1, 201))
    events, trace = read_bytes(lines.encode())
    assert events == [(Op.MALLOC, i + 1, 0, 0, i) for i in range(200)]
    assert trace.dropped == {}


def test_more_threads_than_a_stream_can_hold_are_an_error(
    monkeypatch: pytest.MonkeyPatch, recorded: Recorded
) -> None:
    limit = 16 if PURE else object_ids.MAX_THREADS  # a constant in compiled code
    monkeypatch.setattr(object_ids, "MAX_THREADS", limit)
    lines = [f"{thread}: malloc {16 * thread + 16:#x} 1" for thread in range(limit + 1)]
    events, _ = recorded("\n".join([*lines[:-1], ""]))
    assert events[-1][3] == limit - 1
    with pytest.raises(TraceError, match=r"trace\.txt: more than 65536 threads"):
        recorded("\n".join([*lines, ""]))


def test_trace_that_is_left_early_ends_its_thread_and_closes_its_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(line_reader, "call_arrays", lambda: call_arrays(64))
    path = tmp_path / "trace.txt"
    path.write_text("1: malloc 0x10 5\n1: free 0x10\n" * 50_000)
    before = set(threading.enumerate())
    trace = open_trace(str(path))
    next(trace.chunks)
    trace.chunks.close()  # type: ignore[attr-defined]
    assert set(threading.enumerate()) <= before
    assert trace.progress() == 1.0  # its file is closed


def test_on_one_thread_keeps_all_but_threads(recorded: Recorded, tmp_path: Path) -> None:
    recorded("1: malloc 0x10 5\n2: free 0x10\n1: thread_done 0x0\n3: malloc 0x20 6\n")
    rows = rows_of(events_of(on_one_thread(open_trace(str(tmp_path / "trace.txt")))))
    assert rows == [(Op.MALLOC, 5, 0, 0, 0), (Op.FREE, 0, 0, 0, 0), (Op.MALLOC, 6, 0, 0, 0)]
