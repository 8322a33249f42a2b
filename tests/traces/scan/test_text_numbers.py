"""Numbers for texts: equal texts have the same number, and different texts have different ones."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocsim.core.jit import PURE
from allocsim.core.tables import records
from allocsim.traces.scan import text_numbers
from allocsim.traces.scan.line_reader import PADDING
from allocsim.traces.scan.state import ScanState
from allocsim.traces.scan.text_numbers import (
    TextNumbers,
    new_text_numbers,
    number_of,
    texts_of,
    with_room_for_texts,
)


def numbered(table: TextNumbers, texts: list[bytes]) -> list[int]:
    """Return the number of each text."""
    content = np.frombuffer(b"".join(texts) + bytes(PADDING), np.uint8)
    state = records(ScanState)
    state[0].text = content.ctypes.data
    ends = np.cumsum([0, *map(len, texts)]).tolist()
    return [number_of(table, content, state[0], start, end) for start, end in pairwise(ends)]


def room_for(table: TextNumbers, texts: list[bytes]) -> TextNumbers:
    """Return the table with room for all these texts."""
    return with_room_for_texts(table, len(texts), sum(map(len, texts)))


@given(st.lists(st.binary(max_size=20), max_size=30), st.lists(st.binary(max_size=3), max_size=30))
def test_equal_texts_have_equal_numbers(first: list[bytes], second: list[bytes]) -> None:
    table = room_for(new_text_numbers(), first)
    found = numbered(table, first)
    table = room_for(table, second)
    found += numbered(table, second)
    known: dict[bytes, int] = {}
    expected = [known.setdefault(text, len(known) + 1) for text in [*first, *second]]
    assert found == expected
    assert texts_of(table) == [b"", *known]


@pytest.mark.skipif(not PURE, reason="the hash is compiled into the kernel")
def test_texts_with_equal_hashes_stay_different(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_numbers, "_hash", lambda *_: 5)
    texts = [b"one", b"two", b"one", b"six", b"two"]
    assert numbered(room_for(new_text_numbers(), texts), texts) == [1, 2, 1, 3, 2]


def test_without_room_a_new_text_has_no_number() -> None:
    assert numbered(new_text_numbers(), [b"one"]) == [0]
    table = with_room_for_texts(new_text_numbers(), 1, 3)
    assert numbered(table, [b"one", b"two", b"one"]) == [1, 0, 1]
    table = with_room_for_texts(new_text_numbers(), 5, 3)
    assert numbered(table, [b"one", b"two", b"one"]) == [1, 0, 1]


def test_room_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_numbers, "MAX_TEXTS", 1)
    table = with_room_for_texts(new_text_numbers(), 1000, 100)
    assert len(table.spans) == 2
    monkeypatch.setattr(text_numbers, "MAX_BYTES", 2)
    assert len(with_room_for_texts(new_text_numbers(), 1, 100).buffer) == 2
