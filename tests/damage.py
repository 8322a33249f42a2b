"""Damage to allocsim traces: to their bytes, description, events and call sites.

`fuzz` reads the damaged traces. The checksum would catch most damage to the header, so in some
cases the checksum is recomputed, as an attacker would do.
"""

import gzip
import random
import struct
import tempfile
import zlib
from functools import cache
from pathlib import Path

from allocsim.traces.native.file import write_trace
from allocsim.traces.native.header import FIXED_SIZE, parse_layout
from tests.call_sites.stacks import random_trace
from tests.driving import Call
from tests.traces.streams import trace_of, valid_calls

ROWS = 60
NUMBERS = (0, 1, -1, 255, 65535, 1 << 31, (1 << 32) - 1, 1 << 47, (1 << 47) + 1, (1 << 63) - 1)


@cache
def stored() -> bytes:
    """A small valid file."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "whole.allocsim"
        write_trace(trace_of(_calls()), path)
        return path.read_bytes()


def _calls() -> list[Call]:
    """Valid calls, with sizes for a small heap."""
    return [
        call if call.request <= 100_000 else type(call)(call.op, call.object, 9, call.thread)
        for call in valid_calls(11, ROWS, freezes=False)
    ]


def mutated_store(rng: random.Random) -> bytes:
    """A file damaged in any of its parts, sometimes compressed."""
    content = bytearray(stored())
    begin = len(content) - 16 * ROWS
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        kind = rng.random()
        if kind < 0.6:
            _damage_rows(content, begin, rng)
        elif kind < 0.75:
            _damage_text(content, rng)
        elif kind < 0.85:
            _damage_header(content, rng)
        else:
            _damage_bytes(content, rng)
        if not content:
            break
    return gzip.compress(content, 1) if rng.random() < 0.2 else bytes(content)


@cache
def stored_with_sites() -> bytes:
    """A small valid file whose allocations have call sites."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "whole.allocsim"
        write_trace(random_trace(_calls(), 5), path)
        return path.read_bytes()


def mutated_sites(rng: random.Random) -> bytes:
    """A file whose column or table of call sites is damaged, sometimes compressed."""
    content = bytearray(stored_with_sites())
    table = len(content) - parse_layout(bytes(content[:FIXED_SIZE]), "whole").sites.table
    events = struct.unpack_from("<Q", content, 24)[0]
    for _ in range(rng.choice((1, 1, 2, 5))):
        kind = rng.random()
        begin = rng.choice((events, table, table, table))
        place = rng.randrange(begin if begin < len(content) else 0, len(content))
        if kind < 0.6:
            length = rng.choice((1, 4, 4, 8))
            number = rng.choice(NUMBERS) & (1 << 8 * length) - 1
            content[place : place + length] = number.to_bytes(length, "little")
        elif kind < 0.8:
            content[place : place + 4] = rng.choice((b"null", b'"', b"[", b"]", b"-1,", b"9" * 25))
        elif kind < 0.9:
            _damage_header(content, rng)
        else:
            _damage_bytes(content, rng)
        if not content:
            break
    if rng.random() < 0.8 and len(content) > table + 4:
        struct.pack_into("<I", content, table, zlib.crc32(content[table + 4 :]))
    return gzip.compress(content, 1) if rng.random() < 0.2 else bytes(content)


def _damage_rows(content: bytearray, begin: int, rng: random.Random) -> None:
    """Change a field of an event, or replace an event by another."""
    row = begin + 16 * rng.randrange(ROWS)
    field, length = rng.choice(((0, 8), (8, 4), (12, 2), (14, 1), (15, 1)))
    kind = rng.randrange(4)
    if kind == 0:
        content[row + field : row + field + length] = rng.randbytes(length)
    elif kind == 1:
        number = rng.choice(NUMBERS) & ((1 << 8 * length) - 1)
        content[row + field : row + field + length] = number.to_bytes(length, "little")
    elif kind == 2:
        other = begin + 16 * rng.randrange(ROWS)
        content[row : row + 16] = content[other : other + 16].ljust(16, b"\0")
    elif row + field < len(content):
        content[row + field] ^= 1 << rng.randrange(8)


def _damage_text(content: bytearray, rng: random.Random) -> None:
    """Change the description, and fix the checksum."""
    place = rng.randrange(FIXED_SIZE, FIXED_SIZE + 400)
    token = rng.choice((b"-1", b"null", b"[", b"}", b'"', b"9" * 25, b"\xff", b"1e400", b"{}"))
    content[place : place + len(token)] = token
    _seal(content)


def _damage_header(content: bytearray, rng: random.Random) -> None:
    """Change a number of the header, and fix the checksum."""
    place, length = rng.choice(((12, 4), *((8 * word, 8) for word in range(2, 8))))
    number = rng.choice((*NUMBERS, 4096, 16 * ROWS, ROWS + 1)) & ((1 << 8 * length) - 1)
    content[place : place + length] = number.to_bytes(length, "little")
    _seal(content)


def _damage_bytes(content: bytearray, rng: random.Random) -> None:
    """Flip a bit, cut the file, lengthen it, or remove a part."""
    here = rng.randrange(len(content))
    kind = rng.randrange(4)
    if kind == 0:
        content[here] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del content[here:]
    elif kind == 2:
        content += rng.randbytes(rng.randrange(1, 40))
    else:
        del content[here : here + rng.randrange(1, 40)]


def _seal(content: bytearray) -> None:
    """Fix the checksum, for the header length that the file claims."""
    if len(content) < FIXED_SIZE:
        return
    begin = struct.unpack_from("<Q", content, 24)[0]
    checksum = zlib.crc32(content[FIXED_SIZE:begin], zlib.crc32(content[: FIXED_SIZE - 4]))
    struct.pack_into("<I", content, FIXED_SIZE - 4, checksum)
