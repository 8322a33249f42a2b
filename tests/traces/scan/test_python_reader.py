"""Readers in plain Python: calls in batches, lines of bounded length."""

from collections.abc import Iterator

import pytest

from allocsim.errors import TraceError
from allocsim.events import Op
from allocsim.traces.calls import Call
from allocsim.traces.scan import python_reader
from allocsim.traces.scan.python_reader import PythonReader
from tests.traces.recordings import in_memory


def sized(reader: PythonReader) -> Iterator[Call]:
    """A malloc of the size in each line."""
    for line in reader.lines():
        yield Call(Op.MALLOC, 0x10, request=int(line))


def lengths(reader: PythonReader) -> Iterator[Call]:
    """A malloc of the length of each line."""
    for line in reader.lines():
        yield Call(Op.MALLOC, 0x10, request=len(line))


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_batches_hold_every_call_once_and_in_order(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(python_reader, "BATCH", size)
    content = "".join(f"{number}\n" for number in range(50)).encode()
    batches = [*PythonReader(in_memory(content), sized).batches()]
    assert [int(row.request) for batch in batches for row in batch] == [*range(50)]
    assert max(map(len, batches)) == min(size, 50)


@pytest.mark.parametrize("longest", [3, 4, 5, 8, 64])
@pytest.mark.parametrize("end", ["", "\n"], ids=["cut", "newline"])
def test_lines_are_complete_wherever_a_block_ends(
    monkeypatch: pytest.MonkeyPatch, longest: int, end: str
) -> None:
    monkeypatch.setattr(python_reader, "MAX_LINE", longest)
    content = ("\n".join(("1", "", "22", "333", "4", "55")) + end).encode()
    reader = PythonReader(in_memory(content), lengths)
    found = [int(row.request) for batch in reader.batches() for row in batch]
    assert found == [1, 0, 2, 3, 1, *([2] if end else [])]
    assert reader.line == len(found)
    assert [loss.partition(",")[0] for loss in reader.losses] == ([] if end else ["line 6"])


def test_carriage_return_is_removed() -> None:
    reader = PythonReader(in_memory(b"1\r\n22\r\n"), lengths)
    assert [int(row.request) for batch in reader.batches() for row in batch] == [1, 2]


def test_long_line_is_cut_and_costs_no_more_than_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_reader, "MAX_LINE", 100)
    reader = PythonReader(in_memory(b"x" * 5000 + b"\nabc\n"), lengths)
    assert [int(row.request) for batch in reader.batches() for row in batch] == [100, 3]


def test_number_beyond_64_bits_is_a_trace_error() -> None:
    with pytest.raises(TraceError, match="memory: a number exceeds 64 bits"):
        [*PythonReader(in_memory(b"99999999999999999999\n"), sized).batches()]


def test_empty_source_is_empty() -> None:
    reader = PythonReader(in_memory(b""), sized)
    assert [*reader.batches()] == []
    assert reader.is_empty


def test_line_without_a_call_is_not_empty() -> None:
    def none(reader: PythonReader) -> Iterator[Call]:
        yield from (Call(Op.FREE) for line in reader.lines() if line == b"free")

    reader = PythonReader(in_memory(b"\n"), none)
    assert [*reader.batches()] == []
    assert not reader.is_empty
