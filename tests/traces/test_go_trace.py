"""Go's execution traces: a recording of a real program, and small traces made by hand."""

import gzip

import pytest

from allocsim.designs.go.size_classes import CLASSES
from allocsim.errors import TraceError
from allocsim.events import Op
from allocsim.traces.readers import go_trace
from allocsim.traces.readers.go_trace import FORMAT, looks_like
from tests.traces.recordings import Event, read_bytes
from tests.traces.test_samples import SAMPLES

HEADER = b"go 1.26 trace\0\0\0"
SAMPLE = SAMPLES / "indexer.go-trace.gz"

MALLOCS = 20_659
"""Mallocs between the start and the end of the recording, as the program's MemStats say."""

BASE = 0xC000000000


def number(value: int) -> bytes:
    """Return a LEB128 number."""
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + number(rest) if rest else bytes([low])


def batch(begin: bytes, payload: bytes, *, thread: int = 3, time: int = 0, gen: int = 1) -> bytes:
    """Return a batch that begins with the given bytes."""
    return begin + b"".join(map(number, (gen, thread, time, len(payload)))) + payload


def events(*rows: tuple[int, ...], thread: int = 3, time: int = 0, gen: int = 1) -> bytes:
    """Return a batch of events. A row is a type and its arguments, the first of which is a time."""
    payload = b"".join(bytes([row[0]]) + b"".join(map(number, row[1:])) for row in rows)
    return batch(b"\1", payload, thread=thread, time=time, gen=gen)


DESCRIPTION = batch(b"\x31\1", b"\1" + b"".join(map(number, (BASE, 8192, 8, 2048))))
SPANS = (
    (128, 1, 0, 1, (2 * 2 + 1) * 2),  # page 0: class 2, 16 bytes
    (129, 1, 1, 1, (9 * 2 + 1) * 2),  # page 1: class 9, 112 bytes
    (129, 1, 2, 5, 1 * 2),  # pages 2 to 6: one large object
    (129, 1, 7, 4, 1),  # a stack
)


def small(generations: int = 1) -> bytes:
    """Return a trace of two threads, whose objects have various sizes."""
    first = events(*SPANS, *((132, 1, place, 0) for place in range(5)), (133, 2, 1))
    second = events((132, 2, 1024, 0), (132, 1, 2048, 0), (133, 9, 1024), thread=4)
    return HEADER + (DESCRIPTION + first + second + b"\x34") * generations


def calls_of(*parts: bytes) -> tuple[list[Event], list[str]]:
    """Return the events and notes of a trace."""
    found, trace = read_bytes(HEADER + b"".join(parts), FORMAT)
    return found, trace.notes


def test_objects_have_the_sizes_of_their_classes_and_large_ones_of_their_pages() -> None:
    objects = ((132, 1, 0, 0), (132, 1, 1024 + 14, 5), (132, 1, 2048, 0), (133, 2, 1024 + 14))
    found, notes = calls_of(DESCRIPTION, events(*SPANS, *objects), b"\x34")
    assert [(op, size) for op, size, *_ in found] == [
        (Op.MALLOC, 16), (Op.MALLOC, 112), (Op.MALLOC, 5 * 8192), (Op.FREE, 0),
    ]  # fmt: skip
    assert [row[4] for row in found] == [0, 1, 2, 1]
    assert notes == [
        "Go traces have no requested sizes: objects have the sizes of their size classes"
    ]


def test_parts_of_a_tiny_block_are_one_object() -> None:
    parts = ((132, 1, 4, 0), (132, 1, 5, 0), (132, 1, 4, 0), (133, 1, 4), (132, 1, 5, 0))
    found, notes = calls_of(DESCRIPTION, events(*SPANS, *parts), b"\x34")
    assert [row[0] for row in found] == [Op.MALLOC, Op.FREE, Op.MALLOC]
    assert "in a block that has another object: 2;" in notes[1]


def test_sweep_frees_an_object_after_a_header_by_the_start_of_its_slot() -> None:
    size_class = 1 + [info.object_size for info in CLASSES].index(1024)
    span, slot = (129, 1, 1, 1, size_class * 2 * 2), 1024 + 1024 // 8
    header = 1  # eight bytes
    objects = ((132, 1, slot + header, 0), (133, 1, slot), (132, 1, slot + header, 0))
    found, notes = calls_of(DESCRIPTION, events(span, *objects), b"\x34")
    assert [(op, size) for op, size, *_ in found] == [
        (Op.MALLOC, 1024), (Op.FREE, 0), (Op.MALLOC, 1024),
    ]  # fmt: skip
    assert len(notes) == 1


def test_threads_are_merged_by_time() -> None:
    one = events(*SPANS, (132, 1, 1024, 0), (132, 100, 1024 + 14, 0))
    two = events((133, 50, 1024), (132, 10, 1024, 0), thread=8)
    found, _ = calls_of(DESCRIPTION, two, one, b"\x34")
    assert [(row[0], row[3]) for row in found] == [
        (Op.MALLOC, 0), (Op.FREE, 1), (Op.MALLOC, 1), (Op.MALLOC, 0),
    ]  # fmt: skip


def test_other_events_and_tables_are_skipped() -> None:
    strings = batch(b"\1", b"\4\5\1\3abc")
    other = events((25, 1, 2**64 - 1, 2, 3), (40, 1, 2, 3, 4, 5), *SPANS, (132, 1, 0, 0))
    types = batch(b"\x31\1", b"\0\1\2\3")
    found, _ = calls_of(strings, DESCRIPTION, types, other, b"\x34")
    assert [row[0] for row in found] == [Op.MALLOC]


def test_generation_ends_with_its_number_in_older_traces() -> None:
    second = events((131, 1, 1024, 0), (132, 1, 1024 + 14, 0), gen=2)
    found, notes = calls_of(DESCRIPTION, events(*SPANS, (132, 1, 0, 0)), second)
    assert len(found) == 3
    assert "objects that existed when the trace began: 1" in notes


def test_cut_off_generation_is_dropped_and_reported() -> None:
    whole = events(*SPANS, (132, 1, 0, 0))
    found, trace = read_bytes(HEADER + DESCRIPTION + whole + b"\x34" + whole[:-3], FORMAT)
    assert len(found) == 1
    assert any("last generation of the trace is cut off" in loss for loss in trace.losses)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x07", "found 07, expected an event of a Go trace"),
        (batch(b"\1", b"\xc8\1"), "found c8 01, expected an event of a Go trace"),
        (b"\1\1\1\1" + number(1 << 20), "a batch of 1,048,576 bytes, expected at most 65,536"),
        (b"\1" + b"\xff" * 12, "a number is too long"),
        (events((40, 1, 2, 3, 4, 5)) + b"\x34", "run the program with GODEBUG=traceallocfree=1"),
    ],
)
def test_bytes_that_are_no_trace_are_an_error(content: bytes, sentence: str) -> None:
    with pytest.raises(TraceError, match=sentence):
        read_bytes(HEADER + content, FORMAT)


@pytest.mark.compiled
def test_recorded_program_has_the_allocations_that_go_counts() -> None:
    content = gzip.decompress(SAMPLE.read_bytes())
    assert looks_like(content)
    found, trace = read_bytes(content, FORMAT)
    allocations = sum(op == Op.MALLOC for op, *_ in found)
    notes = " ".join(trace.notes).replace(",", "").replace(";", "").split()
    shared = int(notes[notes.index("object:") + 1])
    existing = int(notes[notes.index("began:") + 1])
    # A few objects are allocated between the start of the trace and the reading of MemStats.
    assert 0 <= allocations - existing + shared - MALLOCS <= 20


def test_file_that_ends_in_the_first_bytes_of_a_batch_is_cut_off() -> None:
    for begin in (b"\1", b"\x31", b"\x31\1"):
        found, notes = calls_of(DESCRIPTION, events(*SPANS, (132, 1, 0, 0)), b"\x34", begin)
        assert ([op for op, *_ in found], len(notes)) == ([Op.MALLOC], 1)


def test_a_generation_too_large_to_sort_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(go_trace, "MAX_EVENTS", 2)
    rows = [(132, 1, place, 0) for place in range(3)]
    with pytest.raises(TraceError, match="a generation of more than 2 allocations and frees"):
        read_bytes(HEADER + DESCRIPTION + events(*rows), FORMAT)
