"""Numbers for texts that occur many times in a recording, such as the caller of each call.

A text is found by its hash. The hash depends on random numbers, because otherwise someone could
craft a recording whose texts all have the same hash (see `hash_table`). The texts themselves are
compared too, so different texts with equal hashes get different numbers.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import grown, records
from allocsim.traces.hash_table import (
    MASK,
    Entry,
    capacity_of,
    find_place,
    insert_all,
    new_hash_table,
)
from allocsim.traces.scan.lex import word_at
from allocsim.traces.scan.state import ScanState

MAX_TEXTS = 1 << 20
"""Maximum number of texts. Further texts have the number 0."""

MAX_BYTES = 64 << 20
"""Maximum length of all texts together, in bytes."""

WORD = 7
"""Number of bytes that `word_at` loads at a time."""

_LAST_KEY = (1 << 62) - 1
"""The largest hash."""


class TextCounts(Struct):
    """Counters, and the random numbers of the hash."""

    texts: Int64  # number of texts so far
    bytes: Int64  # length of all texts in bytes
    factor: Int64  # this and the next field are random numbers of 31 bits, for the hash
    other_factor: Int64


class Span(Struct):
    """A text in the buffer."""

    start: Int64
    length: Int64


class TextNumbers(NamedTuple):
    """Texts and their numbers, from 1."""

    counts: Table[TextCounts]  # one row
    slots: Table[Entry]  # hash table: hash of a text -> its number
    spans: Table[Span]  # by number
    buffer: np.ndarray  # uint8: all texts


def new_text_numbers() -> TextNumbers:
    """Return a table without texts, and without room for any."""
    counts = records(TextCounts)
    counts[0].factor, counts[0].other_factor = (secrets.randbits(30) | 1 << 30 | 1 for _ in "ab")
    return TextNumbers(counts, new_hash_table(2), records(Span), np.zeros(0, np.uint8))


def with_room_for_texts(table: TextNumbers, texts: int, length: int) -> TextNumbers:
    """Return the same table with room for `texts` more texts of `length` bytes in all."""
    counts = table.counts[0]
    texts = min(int(counts.texts) + texts, MAX_TEXTS)
    length = min(int(counts.bytes) + length, MAX_BYTES)
    if length > len(table.buffer):
        table = table._replace(buffer=grown(table.buffer, length))
    if texts >= len(table.spans):
        table = table._replace(spans=grown(table.spans, texts + 1))
    if 2 * texts > capacity_of(table.slots):
        slots = new_hash_table(1 << (4 * texts).bit_length())
        insert_all(slots, table.slots)
        table = table._replace(slots=slots)
    return table


def texts_of(table: TextNumbers) -> list[bytes]:
    """Return all texts by number; number 0 has an empty text."""
    spans = table.spans[: table.counts[0].texts + 1]
    content = table.buffer.tobytes()
    return [content[span.start : span.start + span.length] for span in spans]


@kernel
def number_of(table: TextNumbers, text: np.ndarray, state: ScanState, start: int, end: int) -> int:
    """Return the number of text[start:end]; add a new text, or return 0 if there is no room."""
    counts = table.counts[0]
    key = _hash(counts, state, start, end)
    while True:
        slot = find_place(table.slots, key)
        number = table.slots[slot].number
        if table.slots[slot].key == 0:
            break
        if _is_equal(table, number, text, start, end):
            return number
        key = key % _LAST_KEY + 1
    if counts.texts + 1 >= len(table.spans) or counts.bytes + end - start > len(table.buffer):
        return 0
    counts.texts += 1
    span = table.spans[counts.texts]
    span.start = counts.bytes
    span.length = end - start
    for position in range(start, end):
        table.buffer[counts.bytes + position - start] = text[position]
    counts.bytes += end - start
    table.slots[slot].key = key
    table.slots[slot].number = counts.texts
    return counts.texts


@kernel
def _hash(counts: TextCounts, state: ScanState, start: int, end: int) -> int:
    """Return the hash of a text, from 1 to _LAST_KEY."""
    low, high, position = end - start, 1, start
    while position < end:
        loaded = word_at(state, position, min(WORD, end - position))
        low = ((low ^ loaded & MASK) * counts.factor >> 13) & MASK
        high = ((high ^ loaded >> 28) * counts.other_factor >> 13) & MASK
        position += WORD
    return (low << 31 | high) % _LAST_KEY + 1


@kernel
def _is_equal(table: TextNumbers, number: int, text: np.ndarray, start: int, end: int) -> bool:
    """Return whether the text with this number equals text[start:end]."""
    span = table.spans[number]
    if span.length != end - start:
        return False
    for position in range(span.length):
        if table.buffer[span.start + position] != text[start + position]:
            return False
    return True
