"""Header of an allocsim trace: the layout of the file, and a description of its events.

All numbers are little-endian:

    offset  bytes
         0     12  MAGIC
        12      4  VERSION of the format
        16      8  length of the JSON text in bytes
        24      8  length of the header, a multiple of 4096: the offset of the first event
        32      8  number of events, including notes (see `events.Op`); 16 bytes each
        40      8  version 2: number of entries in the column of site numbers
        48      8  version 2: length of the table of call sites in bytes
        56      4  version 2: length of an entry of the column: 1, 2 or 4 bytes
        60      4  CRC-32 of the whole header without these four bytes
        64         the JSON text of a Description, then zeros up to the first event

The events are followed by the column of site numbers (see `site_column`) and the table of call
sites (see `site_table`). A file without call sites has version 1, which older versions of allocsim
can also read. In version 1, the three numbers of version 2 are 0.

The length and the checksum of the header are verified before the JSON text is parsed.
"""

from __future__ import annotations

import struct
import zlib
from typing import Annotated, Any, NamedTuple

import msgspec

from allocsim.capabilities import Capabilities
from allocsim.errors import TraceError
from allocsim.events import EVENT, MAX_OBJECTS, MAX_THREADS
from allocsim.program_run import Count, ProgramRun
from allocsim.text import counted, encodable

NAME = "allocsim"
"""Name of the format in --format and in lists. The format has no `Reader`, because its files
contain events, not calls."""

MAGIC = b"allocsim\r\n\x1a\n"
"""The first bytes of a file: a name, then bytes that a transfer in text mode would change."""

VERSION = 2
"""Newest version of the format. It increases when older versions of allocsim would misread the
file."""

WITHOUT_SITES = 1
"""Version of the format of a file without call sites."""

PAGE = 4096
"""The offset of the first event is a multiple of this, so that a program may map only the events.
"""

MAX_HEADER = 16 << 20
"""Maximum bytes of a header."""

MAX_TABLE = 1 << 30
"""Maximum bytes of the table of call sites. A table of 10 million nodes takes 120 MB."""

BASE_OBJECTS = 1 << 22
MAX_OBJECTS_PER_EVENT = 4
"""A file may use BASE_OBJECTS object ids, plus MAX_OBJECTS_PER_EVENT for each of its events.

Consumers use a table with a row for each id up to the highest. If ids are far apart, every row that
is used costs an OS page. Without the limit, a small file with huge ids would cost gigabytes.
"""

REMEDY = "recreate the trace from its recording with `allocsim trace convert`"
"""Advice for a damaged file."""

_FIXED = struct.Struct("<12sIQQQQQII")
FIXED_SIZE = _FIXED.size
"""Number of bytes before the JSON text."""

_CRC_OFFSET = FIXED_SIZE - 4


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """Content of the JSON text. Readers ignore unknown keys."""

    tool: str
    """The program that wrote the file: allocsim and its version."""
    name: str
    """The name that the user gave for the recording or workload when the file was written."""
    source: dict[str, Any]
    """Origin of the events: format and file of a recording, or parameters of a generator."""
    seed: int | None = None
    """Random seed, if the events were generated."""
    events: Count
    """Number of events that are calls (see `events.Op`)."""
    objects: Annotated[int, msgspec.Meta(ge=0, le=MAX_OBJECTS)]
    """Every object id is below this number."""
    threads: Annotated[int, msgspec.Meta(ge=0, le=MAX_THREADS)]
    """Every thread number is below this number."""
    requested: Count
    """Requested bytes in total."""
    peak_live: Count
    """Maximum of the live bytes."""
    dropped: dict[str, Count] = {}
    """Calls that the import dropped or repaired, by reason."""
    notes: list[str] = []
    """Sentences that the import collected for the user."""
    losses: list[str] = []
    """Sentences about calls that are known to be missing. Absent in files of older versions."""
    capabilities: Capabilities = Capabilities()
    """The aspects of the program that the recorder could see. Absent in files of older versions."""
    program_run: ProgramRun | None = None
    """Figures of the program's run, counted by the kernel. Absent in files of older versions."""


class SiteLayout(NamedTuple):
    """Sizes of the two parts of a file that store call sites; all are 0 in a file without them."""

    entries: int = 0
    """Number of entries in the column of site numbers."""
    width: int = 0
    """Length of an entry in bytes."""
    table: int = 0
    """Bytes of the table."""

    @property
    def length(self) -> int:
        """Length of both parts together, in bytes."""
        return self.entries * self.width + self.table


NO_SITES = SiteLayout()
"""Layout of a file without call sites."""


class Layout(NamedTuple):
    """Sizes and offsets of the parts of a file."""

    text: int
    """Length of the JSON text in bytes."""
    begin: int
    """Offset of the first event."""
    rows: int
    """Number of events in the file, including notes (see `events.Op`)."""
    sites: SiteLayout = NO_SITES
    """Sizes of the parts that store call sites."""

    @property
    def column(self) -> int:
        """Offset of the column of site numbers, which follows the events."""
        return self.begin + EVENT.itemsize * self.rows

    @property
    def length(self) -> int:
        """Length of the whole file in bytes."""
        return self.column + self.sites.length


def header_size(description: Description, room: int = 0) -> int:
    """Return the number of bytes to reserve for a header before the events are known.

    2 * PAGE bytes are reserved for `notes` and the counts, which the description does not contain
    yet. `room` is the number of bytes by which the rest of the description may grow.
    """
    length = FIXED_SIZE + len(_json(description)) + room + 2 * PAGE
    return -(-length // PAGE) * PAGE


def encode_header(
    description: Description, begin: int, rows: int, sites: SiteLayout = NO_SITES
) -> bytes:
    """Return the header of a file whose events start at offset `begin`.

    If the header would be too long, sentences at the end of `description.notes` are omitted. Raises
    TraceError if the header does not fit even without any of these sentences.
    """
    text = _json(description)
    notes = list(description.notes)
    while notes and FIXED_SIZE + len(text) > begin:
        notes.pop()
        dropped = counted(len(description.notes) - len(notes), "more note")
        more = f"{dropped} did not fit into the file"
        text = _json(msgspec.structs.replace(description, notes=[*notes, more]))
    if FIXED_SIZE + len(text) > begin:
        raise TraceError(f"{description.name}: its description does not fit into the header")
    version = VERSION if sites.entries else WITHOUT_SITES
    numbers = (sites.entries, sites.table, sites.width)
    fixed = _FIXED.pack(MAGIC, version, len(text), begin, rows, *numbers, 0)
    header = bytearray((fixed + text).ljust(begin, b"\0"))
    header[_CRC_OFFSET:FIXED_SIZE] = struct.pack("<I", _checksum(header))
    return bytes(header)


def _json(description: Description) -> bytes:
    """Return a description as JSON; bytes of file names that are not UTF-8 are escaped."""
    try:
        return msgspec.json.encode(description)
    except UnicodeEncodeError:
        return msgspec.json.encode(encodable(msgspec.to_builtins(description)))


def parse_layout(fixed: bytes, name: str) -> Layout:
    """Parse the first FIXED_SIZE bytes of a file.

    Raises TraceError if these bytes are incomplete or damaged, if the file is not an allocsim
    trace, or if it has another version of the format.
    """
    if len(fixed) < FIXED_SIZE or not fixed.startswith(MAGIC):
        raise TraceError(
            f"{name}: the file ends after {counted(len(fixed), 'byte')}, inside its header; "
            f"{REMEDY}"
            if MAGIC.startswith(fixed[: len(MAGIC)])
            else f"{name}: found {fixed[:12]!r}, expected an allocsim trace, which begins with "
            f"{MAGIC!r}"
        )
    _, version, text, begin, rows, entries, table, width, _ = _FIXED.unpack_from(fixed)
    if not WITHOUT_SITES <= version <= VERSION:
        raise TraceError(
            f"{name}: the file has version {version} of the format, and this allocsim reads "
            f"versions 1 to {VERSION}; update allocsim, or convert the trace to AOSP text with the "
            "allocsim that wrote it"
        )
    if not (FIXED_SIZE + text <= begin <= MAX_HEADER and begin % PAGE == 0 and rows < 1 << 58):
        raise TraceError(
            f"{name}: its header is damaged ({counted(text, 'byte')} of text, events at {begin}); "
            f"{REMEDY}"
        )
    if version == WITHOUT_SITES:
        return Layout(text, begin, rows)
    if not (0 < entries <= rows and width in (1, 2, 4) and table <= MAX_TABLE):
        raise TraceError(
            f"{name}: its header is damaged ({counted(entries, 'site number')} of "
            f"{counted(width, 'byte')}, {counted(table, 'byte')} of call sites); {REMEDY}"
        )
    return Layout(text, begin, rows, SiteLayout(entries, width, table))


def parse_description(header: bytes, layout: Layout, name: str) -> Description:
    """Parse the whole header; raise TraceError if the header is cut off or damaged."""
    if len(header) < layout.begin:
        raise TraceError(
            f"{name}: the file is cut off after {len(header):,} bytes, inside its header of "
            f"{layout.begin:,} bytes; {REMEDY}"
        )
    if struct.unpack_from("<I", header, _CRC_OFFSET)[0] != _checksum(header):
        raise TraceError(
            f"{name}: the checksum of its first {layout.begin:,} bytes does not match; {REMEDY}"
        )
    text = header[FIXED_SIZE : FIXED_SIZE + layout.text]
    try:
        description = msgspec.json.decode(text, type=Description)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TraceError(f"{name}: its description is damaged: {error}; {REMEDY}") from error
    if description.events > layout.rows:
        raise TraceError(
            f"{name}: its header says {counted(description.events, 'event')}, but the file has "
            f"{layout.rows:,}; {REMEDY}"
        )
    if not is_dense(description.objects, layout.rows):
        raise TraceError(
            f"{name}: its header says {counted(description.objects, 'object')} for "
            f"{counted(layout.rows, 'event')}, which is too many; {REMEDY}"
        )
    return description


def is_dense(objects: int, rows: int) -> bool:
    """Return whether a file of `rows` events may use `objects` object ids (see BASE_OBJECTS)."""
    return objects <= BASE_OBJECTS + MAX_OBJECTS_PER_EVENT * rows


def _checksum(header: bytes | bytearray) -> int:
    """Return the CRC-32 of all bytes of a header except the checksum itself."""
    return zlib.crc32(header[FIXED_SIZE:], zlib.crc32(header[:_CRC_OFFSET]))
