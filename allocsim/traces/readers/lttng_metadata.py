"""Metadata of an LTTng trace directory (CTF 1.8): the offsets of the fields of each event.

The file `metadata` declares the layout of the other files, the streams of events. `read_layouts`
accepts only the layout that LTTng-UST 2.10 to 2.13 writes on 64-bit machines for the libc wrapper
with the contexts vpid and vtid. All fields are packed little-endian integers, so each field has a
fixed offset. For any other layout, `read_layouts` returns None. Such a directory can be read by
babeltrace2.
"""

from __future__ import annotations

import re
import struct
from typing import NamedTuple

from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import records
from allocsim.events import Op

# The metadata file consists of packets of text. A packet begins with a header: magic number, UUID,
# checksum, size of the content in bits, size of the packet in bits.
_PACKET = struct.Struct("<I16xIII5x")
_MAGIC = 0x75D11D57

_OPERATIONS = {
    "lttng_ust_libc:malloc": Op.MALLOC,
    "lttng_ust_libc:calloc": Op.CALLOC,
    "lttng_ust_libc:realloc": Op.REALLOC,
    "lttng_ust_libc:memalign": Op.MEMALIGN,
    "lttng_ust_libc:posix_memalign": Op.MEMALIGN,
    "lttng_ust_libc:free": Op.FREE,
}

_EXPECTED = (
    "byte_order = le;",
    "packet.header := struct { uint32_t magic; uint8_t uuid[16]; uint32_t stream_id; "
    "uint64_t stream_instance_id; };",
    "struct packet_context { uint64_clock_monotonic_t timestamp_begin; "
    "uint64_clock_monotonic_t timestamp_end; uint64_t content_size; uint64_t packet_size; "
    "uint64_t packet_seq_num; unsigned long events_discarded; uint32_t cpu_id; };",
    "typealias integer { size = 64; align = 8; signed = false; } := unsigned long;",
    "struct event_header_large { enum : uint16_t { compact = 0 ... 65534, extended = 65535 } id; "
    "variant <id> { struct { uint32_clock_monotonic_t timestamp; } compact; struct { uint32_t id; "
    "uint64_clock_monotonic_t timestamp; } extended; } v; } align(8);",
    "event.header := struct event_header_large;",
    "packet.context := struct packet_context;",
)
"""Declarations that the metadata must contain, because `lttng_streams` relies on them. All white
space is replaced by single spaces before the comparison."""

_CONTEXT = re.compile(
    r"event\.context := struct \{ integer \{ size = 32; align = 8; [^}]*\} _vpid; "
    r"integer \{ size = 32; align = 8; [^}]*\} _vtid; \};"
)
_EVENT = re.compile(
    r'event \{ name = "([^"]*)"; id = (\d+); stream_id = 0; [^{}]*fields := struct \{(.*?) \}; \};'
)
_FIELD = re.compile(r"integer \{ size = (\d+); align = 8; [^{}]*\} _(\w+);")

CONTEXT = 8
"""Bytes of an event's context: vpid and vtid."""

ABSENT = -1
"""Value of an entry of EventLayout that does not apply to the event."""

MAX_EVENTS = 1 << 10
"""All ids of events must be below this number."""


class EventLayout(Struct):
    """Layout of the events with one id.

    Each entry from `address` on is the offset of a field, in bytes after the event's header.
    """

    op: Int64  # an Op; ABSENT if the event is not a call of malloc's family
    length: Int64  # bytes of the context and all fields; ABSENT if the id is not used
    address: Int64  # the address returned or freed
    old: Int64  # the address passed to realloc; ABSENT for other events
    request: Int64  # the requested bytes; ABSENT for free
    count: Int64  # the number of elements of a calloc; ABSENT for other events
    alignment: Int64  # the alignment in bytes; ABSENT except for aligned calls
    result: Int64  # the 32-bit result of posix_memalign, 0 on success; ABSENT for other events


_COLUMNS = {
    "ptr": "address",
    "out_ptr": "address",
    "in_ptr": "old",
    "size": "request",
    "nmemb": "count",
    "alignment": "alignment",
    "result": "result",
}


class _Event(NamedTuple):
    """An event as the metadata declares it."""

    name: str
    fields: list[tuple[str, int]]
    """Name and size in bytes of each field."""


def read_layouts(metadata: bytes) -> Table[EventLayout] | None:
    """Return a table of EventLayout by event id, or None if the layout is not the known one."""
    text = " ".join(_text(metadata).split())
    declared = _EVENT.findall(text)
    is_known = all(part in text for part in _EXPECTED) and bool(_CONTEXT.search(text))
    if not is_known or text.count("stream {") != 1 or len(declared) != text.count("event { name"):
        return None
    events = {int(number): _event(name, fields) for name, number, fields in declared}
    if not events or max(events) >= MAX_EVENTS:
        return None
    layouts = records(EventLayout, max(events) + 1)
    for field in EventLayout.dtype.names or ():
        layouts[field] = ABSENT
    if all(event and _fill(layouts[number], event) for number, event in events.items()):
        return layouts
    return None


def _text(metadata: bytes) -> str:
    """Return the text inside the metadata's packets, up to the first damaged one."""
    parts, at = [], 0
    while at + _PACKET.size <= len(metadata):
        magic, _, content, packet = _PACKET.unpack_from(metadata, at)
        if magic != _MAGIC or not _PACKET.size * 8 <= content <= packet:
            break
        parts.append(metadata[at + _PACKET.size : at + content // 8])
        at += packet // 8
    return b"".join(parts).decode("ascii", "replace")


def _event(name: str, fields: str) -> _Event | None:
    """Return an event with its fields, or None if a field is not an integer of whole bytes."""
    sizes = [(field, int(bits)) for bits, field in _FIELD.findall(fields)]
    if _FIELD.sub("", fields).strip() or any(bits % 8 for _, bits in sizes):
        return None
    return _Event(name, [(field, bits // 8) for field, bits in sizes])


def _fill(layout: EventLayout, event: _Event) -> bool:
    """Fill in the layout of an event; return False if a field is missing or has the wrong size."""
    layout.op = _OPERATIONS.get(event.name, ABSENT)
    offset = CONTEXT
    for field, size in event.fields:
        column = _COLUMNS.get(field)
        if column is not None and layout.op != ABSENT:
            if size != (4 if column == "result" else 8):
                return False
            setattr(layout, column, offset)
        offset += size
    layout.length = offset
    needed = (layout.address,) if layout.op == Op.FREE else (layout.address, layout.request)
    return layout.op == ABSENT or ABSENT not in needed
