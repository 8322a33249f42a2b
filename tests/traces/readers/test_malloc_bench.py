"""Traces of malloc-bench: each call, missing fields, damage, a real program."""

import gzip
from pathlib import Path

import pytest

from allocsim.errors import TraceError
from allocsim.events import Op
from allocsim.traces.readers import malloc_bench
from allocsim.traces.scan import block_reader
from tests.traces.recordings import Event, assert_same, read, read_bytes
from tests.traces.totals import PROGRAM, SAMPLES, Totals, totals_of

FORMAT = malloc_bench.FORMAT
MALLOC, FREE, REALLOC, CALLOC = 1, 2, 3, 4

WRITTEN = "sqlite.malloc-bench.gz"
"""sqlite.valgrind.gz, converted by malloc-bench. Its totals were counted by `protoc --decode`."""


def varint(value: int) -> bytes:
    """A varint of protobuf: least significant group first."""
    groups = bytearray()
    while value >> 7:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


def message(number: int, content: bytes) -> bytes:
    """A field that holds a message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def line(kind: int, *fields: int | None) -> bytes:
    """A line with one call. The call's fields are numbered from 1; None omits a field."""
    numbered = enumerate(fields, start=1)
    content = b"".join(varint(n << 3) + varint(v) for n, v in numbered if v is not None)
    return message(1, message(kind, content))


BEFORE = line(MALLOC, 0, 1)

CALLS = {
    "malloc": (line(MALLOC, 5, 300), (Op.MALLOC, 300, 0, 0, 1)),
    "malloc, aligned": (line(MALLOC, 5, 300, 64), (Op.MEMALIGN, 300, 6, 0, 1)),
    "malloc of nothing": (line(MALLOC, 5), (Op.MALLOC, 0, 0, 0, 1)),
    "malloc, largest id": (line(MALLOC, (1 << 55) - 1, 3), (Op.MALLOC, 3, 0, 0, 1)),
    "calloc": (line(CALLOC, 5, 3, 100), (Op.CALLOC, 300, 0, 0, 1)),
    "realloc": (line(REALLOC, 5, 0, 300), (Op.REALLOC, 300, 0, 0, 0)),
    "realloc in place": (line(REALLOC, 0, 0, 300), (Op.REALLOC, 300, 0, 0, 0)),
    "realloc of NULL": (line(REALLOC, 5, None, 300), (Op.MALLOC, 300, 0, 0, 1)),
    "realloc to nothing": (line(REALLOC, None, 0, 0), (Op.FREE, 0, 0, 0, 0)),
    "free": (line(FREE, 0), (Op.FREE, 0, 0, 0, 0)),
    "free with hints": (line(FREE, 0, 1, 8), (Op.FREE, 0, 0, 0, 0)),
    "peak of live blocks": (varint(2 << 3) + varint(5000) + line(FREE, 0), (Op.FREE, 0, 0, 0, 0)),
}
"""For each case: the bytes after BEFORE, and the event that is read from them."""


@pytest.mark.parametrize(("content", "event"), CALLS.values(), ids=CALLS)
def test_line_makes_its_event(content: bytes, event: Event) -> None:
    events, trace = read_bytes(BEFORE + content, FORMAT)
    assert events == [(Op.MALLOC, 1, 0, 0, 0), event]
    assert (trace.dropped, trace.notes) == ({}, [])


DROPPED = {
    "free of NULL": (line(FREE), "free of NULL"),
    "malloc that failed": (line(MALLOC, None, 5), "failed call"),
    "realloc that failed": (line(REALLOC, None, 0, 5), "failed call"),
    "largest size": (line(MALLOC, 5, (1 << 64) - 1), "impossible size"),
    "size of 62 bits": (line(MALLOC, 5, 1 << 62), "impossible size"),
    "product": (line(CALLOC, 5, 1 << 40, 1 << 40), "impossible size"),
    "largest alignment": (line(MALLOC, 5, 5, (1 << 64) - 1), "impossible size"),
}


@pytest.mark.parametrize(("content", "reason"), DROPPED.values(), ids=DROPPED)
def test_line_is_dropped_for_its_reason(content: bytes, reason: str) -> None:
    assert read_bytes(BEFORE + content, FORMAT)[1].dropped == {reason: 1}


BROKEN = {
    "another field": message(3, b"\x0a\x00"),
    "another wire type": varint(1 << 3 | 5) + bytes(4),
    "no call": message(1, b""),
    "another call": line(5, 1),
    "number for a call": message(1, varint(1 << 3) + varint(5)),
    "call shorter than its line": message(1, message(1, b"") + b"\x08\x01"),
    "call longer than its line": message(1, b"\x0a\x05\x08\x01"),
    "another field of a call": message(1, message(1, varint(4 << 3) + varint(1))),
    "text in a call": message(1, message(1, b"\x0a\x01x")),
    "key without number": message(1, message(1, b"\x08")),
    "number of eleven bytes": message(1, message(1, b"\x08" + b"\xff" * 10 + b"\x01")),
    "length of a hundred": message(1, bytes(100)),
    "endless length": b"\x0a" + b"\xff" * 12,
    "id that is no address": line(MALLOC, 1 << 55, 1),
    "old id that is no address": line(REALLOC, 1, 1 << 55, 1),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_broken_line_is_named_by_its_byte(content: bytes) -> None:
    where = rf"memory, byte {len(BEFORE)}: found {content[:1].hex()} .*expected a line of malloc-b"
    with pytest.raises(TraceError, match=where):
        read_bytes(BEFORE + content + line(FREE, 0), FORMAT)


@pytest.mark.parametrize("cut", range(1, len(line(MALLOC, 500, 300))))
def test_cut_end_is_noted(cut: int) -> None:
    events, trace = read_bytes((BEFORE + line(MALLOC, 500, 300))[:-cut], FORMAT)
    assert len(events) == 1
    assert [loss.partition(" after")[0] for loss in trace.losses] == ["the last record is cut off"]


def test_file_of_only_a_cut_line_is_an_error() -> None:
    with pytest.raises(TraceError, match="memory, byte 0: found 0a 05"):
        read_bytes(line(MALLOC, 500, 300)[:1] + b"\x05\x0a", FORMAT)


def test_blocks_and_batches_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"".join(line(MALLOC, n, 300 + n) for n in range(200))
    whole = read_bytes(content, FORMAT)[0]
    monkeypatch.setattr(block_reader, "BLOCK", 64)
    assert read_bytes(content, FORMAT)[0] == whole


@pytest.mark.parametrize(
    ("head", "known"),
    [(BEFORE, True), (line(FREE), True), (line(5, 1), False), (b"", False), (b"\n", False),
     (b"\n\n1: malloc 0x10 5\n", False), (b"\x0a\x04\x0a\x03", False)],
)  # fmt: skip
def test_file_is_known_by_its_first_line(head: bytes, known: bool) -> None:
    assert malloc_bench.looks_like(head) == known


def written(events: list[Event]) -> bytes:
    """Return a trace of malloc-bench with these events. Object numbers serve as ids."""
    lines = [varint(2 << 3) + varint(len(events))]
    for op, request, shift, _, number in events:
        lines.append({
            Op.MALLOC: line(MALLOC, number, request),
            Op.CALLOC: line(CALLOC, number, request, 1),
            Op.REALLOC: line(REALLOC, number, number, request),
            Op.MEMALIGN: line(MALLOC, number, request, 1 << shift),
            Op.FREE: line(FREE, number, 77),
        }[Op(op)])  # fmt: skip
    return b"".join([*lines[1:], lines[0]])


def test_real_program_written_as_trace_is_read_as_it_was(tmp_path: Path) -> None:
    recorded = read(PROGRAM)[0]
    path = tmp_path / "trace.pb.gz"
    path.write_bytes(gzip.compress(written(recorded)))
    events, trace = read(path)
    assert_same(events, recorded)
    assert (trace.description["format"], trace.dropped, trace.notes) == ("malloc-bench", {}, [])


@pytest.mark.slow
def test_trace_of_its_own_parser_has_the_events_of_the_log_and_known_totals() -> None:
    events, trace = read(SAMPLES / WRITTEN)
    assert_same(events, read(SAMPLES / "sqlite.valgrind.gz")[0])
    assert totals_of(events) == Totals(3032, 3032, 1_063_967, 328_084, 0, 0)
    assert (len(events), trace.dropped, trace.notes) == (6616, {"free of NULL": 82}, [])
