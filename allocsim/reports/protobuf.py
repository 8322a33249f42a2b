"""Writer for protobuf messages. Each function returns the bytes of one field.

A message is the concatenation of its fields. Each field begins with a key, which consists of the
number of the field and its wire type, VARINT or LENGTH
(https://protobuf.dev/programming-guides/encoding/).
"""

from __future__ import annotations

from collections.abc import Iterable

VARINT, LENGTH = 0, 2


def integer(field: int, value: int) -> bytes:
    """Return an integer field; b"" for 0, which is the default value of a field."""
    return varint(field << 3 | VARINT) + varint(value) if value else b""


def content(field: int, value: bytes) -> bytes:
    """Return a field that contains a string or a message."""
    return varint(field << 3 | LENGTH) + varint(len(value)) + value


def integers(field: int, values: Iterable[int]) -> bytes:
    """Return a repeated field of integers, packed."""
    return content(field, b"".join(map(varint, values)))


def varint(value: int) -> bytes:
    """Encode an integer below 2**64: 7 bits per byte, lowest first; bit 7 is 0 in the last byte."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
