"""LineReader: blocks of text become batches of calls, and a last line that is cut off is noted."""

import numpy as np
import pytest

from allocsim.errors import TraceError
from allocsim.events import Op
from allocsim.traces import calls
from allocsim.traces.calls import Call
from allocsim.traces.prefetch import AHEAD, call_arrays
from allocsim.traces.readers import valgrind
from allocsim.traces.readers.aosp import FORMAT
from allocsim.traces.scan import line_reader
from allocsim.traces.scan.line_reader import LineReader
from tests.traces.recordings import in_memory

LINES = "".join(f"{i % 3}: malloc {16 * i + 16:#x} {i}\n" for i in range(50)).encode()


def reader_of(content: bytes) -> LineReader:
    """A reader of a recording in memory."""
    reader = FORMAT.open(in_memory(content))
    assert isinstance(reader, LineReader)
    return reader


def calls_of(reader: LineReader) -> np.ndarray:
    """All calls of a reader."""
    return np.concatenate([batch.copy() for batch in reader.batches()])


def test_line_becomes_a_call() -> None:
    found = calls_of(
        reader_of(
            b"1: malloc 0x10 5\n2: calloc 0x20 3 4\n3: realloc 0x30 0x10 6\n"
            b"4: memalign 0x40 64 7\n5: free 0x20\n6: thread_done 0x0\n"
        )
    )
    assert [tuple(call) for call in found.tolist()] == [
        Call(Op.MALLOC, 0x10, request=5, thread=1),
        Call(Op.CALLOC, 0x20, request=12, thread=2),
        Call(Op.REALLOC, 0x30, 0x10, 6, thread=3),
        Call(Op.MEMALIGN, 0x40, request=7, alignment=64, thread=4),
        Call(Op.FREE, 0x20, thread=5),
        Call(Op.THREAD_DONE, thread=6),
    ]


def test_overflowing_product_is_huge() -> None:
    (call,) = calls_of(reader_of(b"1: calloc 0x10 999999999999999999 999999999999999999\n"))
    assert call["request"] == calls.HUGE


@pytest.mark.parametrize("size", [1, 2, 7, 49, 50, 51])
def test_batches_hold_every_call_once_and_in_order(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(line_reader, "call_arrays", lambda: call_arrays(size))
    lengths, requests = [], []
    for batch in reader_of(LINES).batches():
        lengths.append(len(batch))
        requests += batch.request.tolist()
    assert requests == list(range(50))
    assert lengths == [size] * (50 // size) + [50 % size] * (50 % size > 0)


def test_batch_is_unchanged_while_others_may_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_reader, "call_arrays", lambda: call_arrays(1))
    batches = reader_of(LINES).batches()
    first = next(batches)
    for _ in range(AHEAD + 1):
        next(batches)
    assert first.request.tolist() == [0]


def test_lines_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_reader, "BLOCK", 64)
    reader = reader_of(LINES + b"\n\r\n1: free 0x10\n1: fr")
    assert len(calls_of(reader)) == 51
    assert reader.lines == 53
    assert reader.losses[0].startswith("line 54, the last, has no newline")


def test_empty_source_has_no_lines_and_no_batches() -> None:
    reader = reader_of(b"")
    assert list(reader.batches()) == []
    assert (reader.lines, reader.notes) == (0, [])


def test_error_names_the_source() -> None:
    with pytest.raises(TraceError, match=r"^memory, line 51: found 'x', expected TID: "):
        calls_of(reader_of(LINES + b"x\n"))


def test_shown_text_of_a_long_line_is_short() -> None:
    with pytest.raises(TraceError) as raised:
        calls_of(reader_of(b"y" * 5000 + b"\n"))
    assert f"'{'y' * 80}…'" in str(raised.value)


def test_rest_of_a_longer_block_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a longer previous block is still in the buffer, but not part of the new block."""
    monkeypatch.setattr(line_reader, "BLOCK", 100)
    content = b"1: malloc 0x10 111111 22222222 33333333\n" * 2 + b"1: malloc 0x10 1\n1: free 0x10\n"
    found = calls_of(reader_of(content))
    assert found["request"].tolist() == [111111, 111111, 1, 0]


def test_block_without_calls_uses_no_array(monkeypatch: pytest.MonkeyPatch) -> None:
    """Using one would overwrite a batch that the consumer still reads."""
    line = b"--1-- malloc(%d) = 0x%x\n"
    monkeypatch.setattr(line_reader, "BLOCK", 64)
    content = line % (1, 16) + b"the program's own output\n" * 40 + line % (2, 32)
    batches = valgrind.FORMAT.open(in_memory(content)).batches()
    first, second = next(batches), next(batches)
    assert [int(batch[0].request) for batch in (first, second)] == [1, 2]
    assert first.ctypes.data != second.ctypes.data
