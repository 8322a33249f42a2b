"""Lexing: values of numbers and words, the positions after them, and text that is neither."""

import random
from typing import Any

import numpy as np
import pytest

from allocsim.core.tables import records
from allocsim.traces.calls import HUGE
from allocsim.traces.scan.lex import (
    COMMA,
    SPACE,
    decimal,
    hexadecimal,
    hexadecimal_size,
    next_decimal,
    next_hexadecimal,
    next_line,
    next_prefixed,
    pointer,
    prefixed,
    product,
    skip_line_end,
    word,
    word_at,
)
from allocsim.traces.scan.line_reader import PADDING
from allocsim.traces.scan.state import ScanState


def scanned(content: bytes) -> tuple[np.ndarray, Any]:
    """The bytes as a scanner gets them, and a scan state."""
    text = np.frombuffer(bytearray(content + b"\n" + bytes(PADDING)), np.uint8)
    scan = records(ScanState)[0]
    scan.text = text.ctypes.data
    return text, scan


NUMBERS = {
    "decimal": (decimal, b"123,", 123, 3),
    "decimal 0": (decimal, b"0", 0, 1),
    "decimal with zeros before": (decimal, b"007 ", 7, 3),
    "decimal of 18 digits": (decimal, b"9" * 18, 10**18 - 1, 18),
    "decimal of 19 digits": (decimal, b"1" * 19, HUGE, 19),
    "decimal of 20 digits": (decimal, b"18446744073709551615", HUGE, 20),
    "decimal of 21 digits": (decimal, b"1" * 21, None, -1),
    "decimal of 500 digits": (decimal, b"1" * 500, None, -1),
    "no decimal": (decimal, b"x", 0, -1),
    "negative decimal": (decimal, b"-5", 0, -1),
    "hexadecimal": (hexadecimal, b"1aF)", 0x1AF, 3),
    "hexadecimal of 16 digits": (hexadecimal, b"f" * 16, (1 << 60) - 1, 16),
    "hexadecimal of 17 digits": (hexadecimal, b"f" * 17, None, -1),
    "no hexadecimal": (hexadecimal, b"g", 0, -1),
    "prefixed": (prefixed, b"0x10 ", 16, 4),
    "prefixed in capitals": (prefixed, b"0X10 ", 0, -1),
    "pointer": (pointer, b"0x10)", 16, 4),
    "pointer (nil)": (pointer, b"(nil) ", 0, 5),
    "pointer 0": (pointer, b"0)", 0, 1),
    "pointer (nul)": (pointer, b"(nul)", 0, -1),
    "pointer without digits": (pointer, b"0x ", 0, -1),
    "size": (hexadecimal_size, b"0x64", 100, 4),
    "size 0": (hexadecimal_size, b"0", 0, 1),
    "size of 60 bits": (hexadecimal_size, b"0x" + b"f" * 15, (1 << 60) - 1, 17),
    "size of 61 bits": (hexadecimal_size, b"0x1" + b"0" * 15, HUGE, 18),
    "size of 64 bits": (hexadecimal_size, b"0x" + b"f" * 16, HUGE, 18),
    "size with zeros before": (hexadecimal_size, b"0x0000000000000010", 16, 18),
    "size of 17 digits": (hexadecimal_size, b"0x" + b"1" * 17, None, -1),
    "decimal size": (hexadecimal_size, b"32", 0, -1),
    "no size": (hexadecimal_size, b"x", 0, -1),
}


@pytest.mark.parametrize(("read", "content", "value", "end"), NUMBERS.values(), ids=NUMBERS)
def test_number_is_read_to_its_end(read: Any, content: bytes, value: int | None, end: int) -> None:
    text, scan = scanned(b".." + content)
    found = read(text, 2, scan)
    assert scan.position == (end + 2 if end >= 0 else -1)
    assert value is None or found == value


NEXT: dict[str, tuple[Any, bytes]] = {
    "decimal after a space": (lambda text, scan: next_decimal(text, scan, SPACE), b" 12"),
    "decimal after a comma": (lambda text, scan: next_decimal(text, scan, COMMA), b",12"),
    "hexadecimal": (next_hexadecimal, b" c"),
    "prefixed": (next_prefixed, b" 0xc"),
}


@pytest.mark.parametrize(("read", "content"), NEXT.values(), ids=NEXT)
def test_next_number_needs_its_separator_and_a_position(read: Any, content: bytes) -> None:
    text, scan = scanned(content)
    scan.position = 0
    assert (read(text, scan), scan.position) == (12, len(content))
    scan.position = 1
    assert (read(text, scan), scan.position) == (0, -1)
    assert (read(text, scan), scan.position) == (0, -1)


@pytest.mark.parametrize(
    ("count", "size", "bytes_"),
    [
        (3, 5, 15),
        (0, HUGE, 0),
        (HUGE, 0, 0),
        (HUGE, 1, HUGE),
        (2, HUGE, HUGE),
        (1 << 31, 1 << 31, HUGE),
    ],
)
def test_product_saturates_at_huge(count: int, size: int, bytes_: int) -> None:
    assert product(count, size) == bytes_


@pytest.mark.parametrize(
    ("content", "end"), [(b"", 1), (b"\r", 2), (b"\r\r", -1), (b"x", -1), (b" ", -1)], ids=repr
)
def test_line_ends_with_a_newline_or_return_and_newline(content: bytes, end: int) -> None:
    text, _ = scanned(content)
    assert skip_line_end(text, 0) == end
    assert skip_line_end(text, -1) == -1


def test_next_line_is_after_the_first_newline() -> None:
    """Bytes that a wrong `has_newline` might take for a newline are skipped."""
    rng = random.Random(1)
    for _ in range(300):
        content = bytes(rng.choices(b"\x09\x0b\x8a\x0e\x1a\x00\xff\x0a\x0a", k=rng.randrange(30)))
        text, scan = scanned(content)
        for start in range(len(content) + 1):
            assert next_line(text, scan, start) == (content + b"\n").index(b"\n", start) + 1


def test_word_matches_the_text() -> None:
    text, scan = scanned(b"..malloc(7)")
    assert text[2] == ord("m")
    assert word_at(scan, 2, 7) == word(b"malloc(")
    assert word_at(scan, 2, 1) == ord("m")
