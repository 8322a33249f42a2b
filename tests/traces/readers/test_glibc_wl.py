"""Workloads of glibc's trace-utils: each code, syncs of threads, damage, a real program.

The tests write workloads from the grammar; `test_samples` reads files of glibc's own tools.
"""

import gzip
import os
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from allocsim.errors import TraceError
from allocsim.events import Op
from allocsim.traces.prefetch import call_arrays
from allocsim.traces.readers import glibc_wl, glibc_wl_threads
from allocsim.traces.readers.glibc_wl_threads import TURN
from allocsim.traces.source import open_source
from tests.traces.recordings import Event, assert_same, read
from tests.traces.totals import PROGRAM, SAMPLES, totals_of


def number(value: int) -> bytes:
    """A number in base 128, most significant group first."""
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))


def code(*numbers: int) -> bytes:
    """A code of one byte, and its numbers."""
    first, *rest = numbers
    return bytes([first]) + b"".join(number(value) for value in rest)


def header(starts: Iterable[int], slots: int = 100, syncs: int = 10) -> bytes:
    """A header whose numbers take nine bytes each, so its length is known."""
    starts = list(starts)
    fixed = [(8, slots), (9, syncs), (10, len(starts)), *((11, start) for start in starts)]
    return b"".join(bytes([code]) + number(value | 1 << 63)[1:] for code, value in fixed) + b"\1"


def workload(*streams: bytes, slots: int = 100, syncs: int = 10) -> bytes:
    """A workload of these threads."""
    starts, place = list[int](), len(header([0] * len(streams)))
    for stream in streams:
        starts.append(place)
        place += len(stream)
    return header(starts, slots, syncs) + b"".join(streams)


def rows(tmp_path: Path, content: bytes) -> list[Event]:
    """The events of a workload."""
    path = tmp_path / "trace.wl"
    path.write_bytes(content)
    return read(path)[0]


@pytest.mark.parametrize("window", [glibc_wl_threads.MAX_CALL, 200, 1000])
def test_events_do_not_depend_on_the_size_of_a_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    content = written(read(SAMPLES / "git.lttng.gz")[0])
    whole = rows(tmp_path, content)
    monkeypatch.setattr(glibc_wl, "MAX_WINDOW", window)
    assert rows(tmp_path, content) == whole


@pytest.mark.parametrize("length", [0, 1, 5000])
def test_file_that_shrinks_while_it_is_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    path = tmp_path / "trace.wl"
    path.write_bytes(workload((code(2, 1, 5) + code(5, 1)) * 5000 + b"\1"))
    monkeypatch.setattr(glibc_wl, "MAX_WINDOW", 1000)
    monkeypatch.setattr(glibc_wl, "call_arrays", lambda: call_arrays(100))
    with closing(open_source(str(path))) as source:
        batches = glibc_wl.FORMAT.open(source).batches()
        next(batches)
        os.truncate(path, length)
        with pytest.raises(TraceError, match=r"trace\.wl: the file ends after .* cut off while"):
            list(batches)


DONE = (Op.THREAD_DONE, 0, 0, 0, 0)

CODES = {
    "malloc": (code(2, 1, 300), (Op.MALLOC, 300, 0, 0, 0)),
    "calloc": (code(3, 1, 70_000), (Op.CALLOC, 70_000, 0, 0, 0)),
    "memalign": (code(12, 1, 4096, 5), (Op.MEMALIGN, 5, 12, 0, 0)),
    "valloc": (code(13, 1, 5), (Op.MEMALIGN, 5, 12, 0, 0)),
    "pvalloc": (code(14, 1, 5), (Op.MEMALIGN, 5, 12, 0, 0)),
    "realloc of NULL": (code(4, 1, 0, 5), (Op.MALLOC, 5, 0, 0, 0)),
    "nothing before": (code(0) + code(2, 1, 5), (Op.MALLOC, 5, 0, 0, 0)),
    "largest size": (code(2, 1, 1 << 47), (Op.MALLOC, 1 << 47, 0, 0, 0)),
    "largest slot": (code(2, 100, 5), (Op.MALLOC, 5, 0, 0, 0)),
}


@pytest.mark.parametrize(("stream", "event"), CODES.values(), ids=CODES)
def test_code_makes_its_event(tmp_path: Path, stream: bytes, event: Event) -> None:
    assert rows(tmp_path, workload(stream + b"\1")) == [event, DONE]


def test_realloc_and_free_use_the_block_in_the_slot(tmp_path: Path) -> None:
    stream = code(2, 1, 5) + code(4, 2, 1, 9) + code(5, 1) + code(5, 2) + code(5, 0)
    path = tmp_path / "trace.wl"
    path.write_bytes(workload(stream + b"\1"))
    events, trace = read(path)
    assert events == [(0, 5, 0, 0, 0), (Op.REALLOC, 9, 0, 0, 0), (Op.FREE, 0, 0, 0, 0), DONE]
    assert trace.dropped == {"free of unknown": 1, "free of NULL": 1}
    assert (trace.description["format"], trace.notes) == ("glibc-wl", [])


def test_storing_into_a_slot_frees_its_old_block(tmp_path: Path) -> None:
    stream = code(2, 1, 5) + code(2, 1, 6)
    assert [event[0] for event in rows(tmp_path, workload(stream + b"\1"))] == [
        Op.MALLOC, Op.FREE, Op.MALLOC, Op.THREAD_DONE,
    ]  # fmt: skip


def test_thread_waits_until_another_has_written(tmp_path: Path) -> None:
    taker = code(7, 3) + code(5, 1) + b"\1"
    giver = code(2, 2, 8) * 100 + code(2, 1, 5) + code(6, 3) + b"\1"
    path = tmp_path / "trace.wl"
    path.write_bytes(workload(taker, giver, code(7, 3) + b"\1", code(7, 3) + b"\1"))
    events, trace = read(path)
    assert trace.dropped == {"overlap": 99}
    calls = [event[0] for event in events[events.index((Op.MALLOC, 5, 0, 0, 1)) :]]
    assert calls == [Op.MALLOC, Op.THREAD_DONE, Op.FREE, Op.THREAD_DONE]


def test_threads_take_turns(tmp_path: Path) -> None:
    streams = [code(5, 0) + code(2, slot, 1) * 3 * TURN + b"\1" for slot in (1, 2)]
    threads = [event[3] for event in rows(tmp_path, workload(*streams)) if event[0] == Op.MALLOC]
    assert threads[: TURN - 1] == [0] * (TURN - 1)
    assert threads[TURN - 1 : 2 * TURN - 2] == [1] * (TURN - 1)
    assert sorted(threads) == [0] * 3 * TURN + [1] * 3 * TURN


def test_order_of_threads_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "trace.wl"
    path.write_bytes(workload(b"\1", b"\1"))
    assert read(path)[1].notes[0].startswith("the file orders its 2 threads only by their syncs")


BROKEN = {
    "unknown code": (b"\x0f\1\1", 0),
    "code of the header": (b"\x08\1", 0),
    "slot beyond the promise": (code(2, 101, 5), 0),
    "sync beyond the promise": (code(0) + code(6, 101), 1),
    "end in a call": (code(2, 1)[:-1], 0),
    "number of 65 groups": (code(5, 1) + b"\5" + b"\x80" * 64 + b"\1\1", 2),
    "end in a number": (code(5, 1) + b"\2\1\x81\x80", 2),
    "no end": (code(5, 1), 2),
}


@pytest.mark.parametrize(("stream", "place"), BROKEN.values(), ids=BROKEN)
def test_broken_stream_is_named_by_its_byte(tmp_path: Path, stream: bytes, place: int) -> None:
    place += len(header([0]))
    with pytest.raises(TraceError, match=rf"trace\.wl, byte {place}: no valid call"):
        rows(tmp_path, workload(stream))


def test_deadlock_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="deadlock: all remaining threads wait for syncs"):
        rows(tmp_path, workload(code(7, 1) + code(6, 2) + b"\1", code(7, 2) + b"\1"))


def test_overlapping_streams_end(tmp_path: Path) -> None:
    content = header([len(header([0] * 50))] * 50) + code(2, 1, 5) * 1000 + b"\1"
    with pytest.raises(TraceError, match="no valid call"):
        rows(tmp_path, content)


HEADERS = {
    "no thread": header([]),
    "fewer threads than promised": header([]).replace(b"\x0a" + b"\x80" * 8 + b"\0", code(10, 1)),
    "beginning after the end": header([10**6]),
    "more syncs than bytes": header([1], syncs=10**6),
    "too many slots": header([1], slots=1 << 60),
}


@pytest.mark.parametrize("content", HEADERS.values(), ids=HEADERS)
def test_impossible_header_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trace.wl"
    path.write_bytes(content)
    with pytest.raises(TraceError, match=r"trace\.wl: the header promises .* damaged or cut"):
        read(path, "glibc-wl")


@pytest.mark.parametrize("content", [b"\x08\x80", b"\x02", b"\x08\x05\xff"])
def test_broken_header_is_named_by_its_byte(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trace.wl"
    path.write_bytes(content)
    with pytest.raises(TraceError, match=r"trace\.wl, byte \d: no valid call"):
        read(path, "glibc-wl")


def test_empty_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "trace.wl"
    path.write_bytes(b"")
    with pytest.raises(TraceError, match="empty"):
        read(path, "glibc-wl")


@pytest.mark.parametrize(
    ("head", "known"),
    [(workload(b"\1"), True), (b"\x08\x05\x09\x05\x0a\x01\x0b\x14", True),
     (b"\x08\x05\x0a\x01", False), (b"\x08", False), (b"", False), (b"\x08\xff\xff", False)],
)  # fmt: skip
def test_file_is_known_by_its_header(head: bytes, known: bool) -> None:
    assert glibc_wl.looks_like(head) == known


def test_huge_number_is_huge(tmp_path: Path) -> None:
    path = tmp_path / "trace.wl"
    path.write_bytes(workload(b"\2\1" + b"\xff" * 40 + b"\x7f" + b"\1"))
    assert read(path)[1].dropped == {"impossible size": 1}


def written(events: list[Event]) -> bytes:
    """Return the events as a workload: a slot for each id, a sync where the id's thread changes."""
    streams, last, syncs = dict[int, bytearray](), dict[int, int](), 0
    for op, request, shift, thread, number in events:
        stream, slot = streams.setdefault(thread, bytearray()), number + 1
        before = last.setdefault(slot, thread)
        if before != thread and op != Op.THREAD_DONE:
            streams[before] += code(6, syncs)
            stream += code(7, syncs)
            syncs += 1
        if op != Op.THREAD_DONE:
            last[slot] = thread
        stream += {
            Op.MALLOC: code(2, slot, request),
            Op.CALLOC: code(3, slot, request),
            Op.REALLOC: code(4, slot, slot, request),
            Op.MEMALIGN: code(12, slot, 1 << shift, request),
            Op.FREE: code(5, slot),
        }.get(Op(op), b"")
    ended = [bytes(streams[thread]) + b"\1" for thread in sorted(streams)]
    return workload(*ended, slots=len(events), syncs=syncs + 1)


@pytest.mark.parametrize("packed", [False, True])
def test_real_program_written_as_a_workload_is_read_back_unchanged(
    tmp_path: Path, packed: bool
) -> None:
    recorded = read(PROGRAM)[0]
    path = tmp_path / "trace.wl"
    path.write_bytes(gzip.compress(written(recorded)) if packed else written(recorded))
    events, trace = read(path)
    assert_same(events[:-1], recorded)
    assert events[-1] == DONE
    assert (trace.dropped, trace.notes) == ({}, [])


def test_threads_of_a_real_program_keep_every_object(tmp_path: Path) -> None:
    recorded, _ = read(SAMPLES / "git.lttng.gz")
    path = tmp_path / "trace.wl"
    path.write_bytes(written(recorded))
    events, trace = read(path)
    found, expected = totals_of(events), totals_of(recorded)
    assert found._replace(peak_live=0) == expected._replace(peak_live=0)
    assert trace.dropped == {}
    assert len({event[3] for event in events}) == len({event[3] for event in recorded}) == 4
