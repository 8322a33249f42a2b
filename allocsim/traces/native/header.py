"""The front of allocsim's own trace file: what it is, and what is known of the events behind it.

Below `store`. All numbers are little-endian:

    offset  bytes
         0     12  MAGIC
        12      4  VERSION of the format
        16      8  length of the JSON text in bytes
        24      8  offset of the first event, a multiple of 4096: the length of the front
        32      8  events in the file, notes included, 16 bytes each as `events.EVENT` says
        40     20  zeros
        60      4  CRC-32 of the whole front, these four bytes left out
        64         the JSON text of an About, then zeros up to the first event

Its one rule: every byte of the front is checked before anything rests on it.
"""

from __future__ import annotations

import struct
import zlib
from typing import Annotated, Any, NamedTuple

import msgspec

from allocsim.errors import TraceError
from allocsim.events import MAX_OBJECTS, MAX_THREADS

MAGIC = b"allocsim\r\n\x1a\n"
"""A name, then bytes that a transfer as text would change."""

VERSION = 1
"""Changes when an older allocsim could not read the file rightly."""

PAGE = 4096
"""The events begin at a multiple of this, so that they lie aligned in a mapping."""

LONGEST = 16 << 20
"""Bytes of the longest front."""

FEW = 1 << 22
"""Object numbers that a file may always have; beyond them MOST_A_ROW for each event. Whoever takes
the events has a row in memory for each number, and numbers far apart cost a page each."""

MOST_A_ROW = 4

AGAIN = "make it again from its recording with `allocsim trace convert`"
"""The way out of a file that is damaged."""

_HEADER = struct.Struct("<12sIQQQ20sI")
HEADER = _HEADER.size
"""Bytes before the JSON text."""

_CRC = HEADER - 4

Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says of itself. Readers leave unknown keys alone."""

    tool: str
    """The allocsim that wrote it, with its version."""
    name: str
    """What the user called the source."""
    source: dict[str, Any]
    """Where the events came from: format and file of a recording, parameters of a generator."""
    seed: int | None = None
    """The seed, when they were generated."""
    events: Count
    """Calls; notes are none."""
    objects: Annotated[int, msgspec.Meta(ge=0, le=MAX_OBJECTS)]
    """The object numbers stay below this."""
    threads: Annotated[int, msgspec.Meta(ge=0, le=MAX_THREADS)]
    """The thread numbers stay below this."""
    requested: Count
    """Bytes asked for in all."""
    peak_live: Count
    """The most bytes asked for and not freed."""
    dropped: dict[str, Count] = {}
    """What the import left out, reason -> count."""
    notes: list[str] = []
    """What the user should know of the import."""


class Layout(NamedTuple):
    """Where things lie in the file."""

    text: int
    """Bytes of the JSON text."""
    begin: int
    """Offset of the first event."""
    rows: int
    """Events in the file, notes included."""

    @property
    def length(self) -> int:
        """Bytes of the whole file."""
        return self.begin + 16 * self.rows


def room_for(about: About) -> int:
    """Bytes to keep free for the front before its notes and counts are known."""
    return -(-(HEADER + len(msgspec.json.encode(about)) + 2 * PAGE) // PAGE) * PAGE


def front(about: About, begin: int, rows: int) -> bytes:
    """The front of a file whose events begin at `begin`; notes that do not fit are cut short."""
    text = msgspec.json.encode(about)
    notes = list(about.notes)
    while notes and HEADER + len(text) > begin:
        notes.pop()
        more = f"{len(about.notes) - len(notes)} more notes did not fit into the file"
        text = msgspec.json.encode(msgspec.structs.replace(about, notes=[*notes, more]))
    if HEADER + len(text) > begin:
        raise TraceError(f"{about.name}: what is known of it does not fit into the file's front")
    header = _HEADER.pack(MAGIC, VERSION, len(text), begin, rows, bytes(20), 0)
    whole = bytearray((header + text).ljust(begin, b"\0"))
    whole[_CRC:HEADER] = struct.pack("<I", _checksum(whole))
    return bytes(whole)


def layout_of(header: bytes, name: str) -> Layout:
    """Where things lie, from the first HEADER bytes; TraceError if they cannot lie there."""
    if len(header) < HEADER or not header.startswith(MAGIC):
        raise TraceError(
            f"{name}: {len(header)} bytes of a header of {HEADER} bytes; {AGAIN}"
            if MAGIC.startswith(header[: len(MAGIC)])
            else f"{name}: found {header[:12]!r}, expected an allocsim trace, {MAGIC!r}"
        )
    _, version, text, begin, rows, _, _ = _HEADER.unpack_from(header)
    if version != VERSION:
        raise TraceError(
            f"{name}: version {version} of the format; this allocsim reads version {VERSION}: "
            "update allocsim, or write AOSP text with the one that made the file"
        )
    if not (HEADER + text <= begin <= LONGEST and begin % PAGE == 0 and rows < 1 << 58):
        raise TraceError(
            f"{name}: its header is damaged ({text} bytes of text, events at {begin}); {AGAIN}"
        )
    return Layout(text, begin, rows)


def about_of(whole: bytes, layout: Layout, name: str) -> About:
    """What the file says of itself, from its whole front; TraceError if a byte of it is wrong."""
    if len(whole) < layout.begin:
        raise TraceError(
            f"{name}: the file ends after {len(whole):,} bytes, inside its front of "
            f"{layout.begin:,}: it was cut; {AGAIN}"
        )
    if struct.unpack_from("<I", whole, _CRC)[0] != _checksum(whole):
        raise TraceError(f"{name}: the checksum of its first {layout.begin:,} bytes fails; {AGAIN}")
    try:
        about = msgspec.json.decode(whole[HEADER : HEADER + layout.text], type=About)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TraceError(f"{name}: what it says of itself is damaged: {error}; {AGAIN}") from error
    if about.events > layout.rows:
        raise TraceError(
            f"{name}: it claims {about.events:,} events and holds {layout.rows:,}; {AGAIN}"
        )
    if not is_dense(about.objects, layout.rows):
        raise TraceError(
            f"{name}: it claims {about.objects:,} objects for {layout.rows:,} events, which no "
            f"recording has; {AGAIN}"
        )
    return about


def is_dense(objects: int, rows: int) -> bool:
    """Whether so many events may have so many object numbers."""
    return objects <= FEW + MOST_A_ROW * rows


def _checksum(whole: bytes | bytearray) -> int:
    """The CRC-32 of a front without the place of the checksum."""
    return zlib.crc32(whole[HEADER:], zlib.crc32(whole[:_CRC]))
