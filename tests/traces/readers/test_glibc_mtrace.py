"""Raw traces of glibc's trace-utils: each type of record, damage, a real program.

The tests make their own records; `test_samples` reads files that glibc's malloc has written.
"""

import struct

import pytest

from allocsim.errors import TraceError
from allocsim.events import Op
from allocsim.traces.readers import glibc_mtrace
from allocsim.traces.scan import block_reader
from tests.conftest import SCALE
from tests.traces.recordings import Event, assert_same, read, read_bytes
from tests.traces.totals import SAMPLES

FORMAT = glibc_mtrace.FORMAT


def record(
    kind: int, pointer1: int = 0, pointer2: int = 0, size: int = 0, size2: int = 0, thread: int = 7
) -> bytes:
    """A record; the bits for the path that the call took are arbitrary."""
    return struct.pack(
        "<iIQQQQQQQ", thread, kind | 0xABCD00, pointer1, pointer2, size, size2, 9, 0, 0
    )


MAGIC = record(255, 0x1234, 0, 8)

TYPES = {
    "malloc": (record(1, 0, 0x20, 300), (Op.MALLOC, 300, 0, 0, 1)),
    "calloc": (record(2, 0, 0x20, 300), (Op.CALLOC, 300, 0, 0, 1)),
    "free": (record(3, 0x10, 0x77, 5, 32), (Op.FREE, 0, 0, 0, 0)),
    "realloc": (record(4, 0x10, 0x20, 300), (Op.REALLOC, 300, 0, 0, 0)),
    "realloc of NULL": (record(4, 0, 0x20, 300), (Op.MALLOC, 300, 0, 0, 1)),
    "realloc to nothing": (record(4, 0x10, 0, 0), (Op.FREE, 0, 0, 0, 0)),
    "memalign": (record(5, 0, 0x40, 300, 64), (Op.MEMALIGN, 300, 6, 0, 1)),
    "valloc": (record(6, 0, 0x1000, 300), (Op.MEMALIGN, 300, 12, 0, 1)),
    "pvalloc": (record(7, 0, 0x1000, 300), (Op.MEMALIGN, 300, 12, 0, 1)),
    "posix_memalign": (record(8, 0, 0x40, 300, 64), (Op.MEMALIGN, 300, 6, 0, 1)),
    "another thread": (record(1, 0, 0x20, 3, thread=-5), (Op.MALLOC, 3, 0, 1, 1)),
    "address with a tag": (record(3, 0xB000_0000_0000_0010), (Op.FREE, 0, 0, 0, 0)),
}
"""Records after a malloc of 1 byte at 0x10, with the event of each."""


@pytest.mark.parametrize(("kind", "event"), TYPES.values(), ids=TYPES)
def test_record_makes_its_event(kind: bytes, event: Event) -> None:
    content = MAGIC + record(1, 0, 0x10, 1) + kind + record(0)
    events, trace = read_bytes(content, FORMAT)
    assert events == [(Op.MALLOC, 1, 0, 0, 0), event]
    assert (trace.dropped, trace.notes) == ({}, [])


DROPPED = {
    "malloc that failed": (record(1, 0, 0, 5), "failed call"),
    "posix_memalign that failed": (record(8, 12, 0x7777, 5, 64), "failed call"),
    "free of NULL": (record(3), "free of NULL"),
    "largest size": (record(1, 0, 0x20, (1 << 64) - 1), "impossible size"),
    "largest alignment": (record(5, 0, 0x20, 5, (1 << 64) - 1), "impossible size"),
}


@pytest.mark.parametrize(("kind", "reason"), DROPPED.values(), ids=DROPPED)
def test_record_is_dropped_for_its_reason(kind: bytes, reason: str) -> None:
    assert read_bytes(MAGIC + kind, FORMAT)[1].dropped == {reason: 1}


@pytest.mark.parametrize("kind", [9, 100, 254])
def test_unknown_type_is_named_by_its_byte(kind: int) -> None:
    with pytest.raises(
        TraceError, match=r"memory, byte 128: found 07 00 00 00 .*expected a record"
    ):
        read_bytes(MAGIC + record(1, 0, 0x20, 5) + record(kind) + record(3, 0x20), FORMAT)


@pytest.mark.parametrize("cut", [1, 40, 63])
def test_cut_end_is_noted(cut: int) -> None:
    content = MAGIC + record(1, 0, 0x20, 5) + record(3, 0x20)
    events, trace = read_bytes(content[:-cut], FORMAT)
    assert len(events) == 1
    (loss,) = trace.losses
    assert loss.startswith(f"the last record is cut off after {64 - cut}")


def test_unused_record_between_others_is_skipped() -> None:
    content = MAGIC + record(1, 0, 0x20, 5) + record(0) + record(3, 0x20)
    assert [event[0] for event in read_bytes(content, FORMAT)[0]] == [Op.MALLOC, Op.FREE]


def test_blocks_and_batches_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    content = MAGIC + b"".join(record(1, 0, 16 * n, n) for n in range(1, 100))
    whole = read_bytes(content, FORMAT)[0]
    monkeypatch.setattr(block_reader, "BLOCK", 1000)
    assert read_bytes(content, FORMAT)[0] == whole


@pytest.mark.parametrize(
    ("head", "known"),
    [(MAGIC, True), (MAGIC[:-1], False), (record(1, 0x1234, 0, 8), False), (b"", False),
     (record(255, 0x1234, 0, 4), False)],
)  # fmt: skip
def test_file_is_known_by_its_first_record(head: bytes, known: bool) -> None:
    assert glibc_mtrace.looks_like(head) == known


def written(events: list[Event]) -> bytes:
    """The events as a raw trace; an object's address is 16 times its id."""
    types = {Op.MALLOC: 1, Op.CALLOC: 2, Op.FREE: 3, Op.REALLOC: 4, Op.MEMALIGN: 5}
    content = [MAGIC]
    for op, request, shift, thread, number in events:
        at = 16 * (number + 1)
        old = at if op in (Op.FREE, Op.REALLOC) else 0
        content.append(record(types[Op(op)], old, at, request, 1 << shift, thread))
    return b"".join([*content, *[record(0)] * 10])


def test_real_program_written_as_raw_trace_is_read_as_it_was() -> None:
    recorded = read(SAMPLES / "git.lttng.gz")[0][: 300 * SCALE]
    events, trace = read_bytes(written(recorded), FORMAT)
    assert_same(events, recorded)
    assert (trace.dropped, trace.notes) == ({}, [])
