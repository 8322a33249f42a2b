"""Trace directories of LTTng, written by a model in plain Python."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.conftest import REPOSITORY

SAMPLES = REPOSITORY / "tests" / "traces" / "samples"

METADATA = (SAMPLES / "lttng.metadata").read_text()
"""Metadata as written by lttng-ust 2.13."""

PACKET, PAGE = 84, 4096

MALLOC, FREE, CALLOC, REALLOC, MEMALIGN, POSIX_MEMALIGN = range(6)
"""Event ids in METADATA."""

_FIELDS = {
    MALLOC: "<QQ",
    FREE: "<Q",
    CALLOC: "<QQQ",
    REALLOC: "<QQQ",
    MEMALIGN: "<QQQ",
    POSIX_MEMALIGN: "<QQQi",
}


class Event(NamedTuple):
    """An event: its time, process, thread, id, and fields in the order of METADATA."""

    time: int
    process: int
    thread: int
    number: int
    fields: tuple[int, ...]


def metadata_packets(text: str, size: int = PAGE) -> bytes:
    """The metadata file: the text in packets of `size` bytes."""
    room, content, packets = size - 37, text.encode(), []
    for at in range(0, len(content), room):
        part = content[at : at + room]
        head = struct.pack(
            "<I16sIII5B", 0x75D11D57, b"", 0, 8 * (37 + len(part)), 8 * size, *[0] * 5
        )
        packets.append((head + part).ljust(size, b"\0"))
    return b"".join(packets)


def packet(events: Sequence[Event], number: int = 0, discarded: int = 0) -> bytes:
    """Return a packet. If 32 bits do not determine an event's time, the time takes 64 bits."""
    body, last = b"", events[0].time if events else 0
    for event in events:
        if event.time - last < 1 << 32:
            body += struct.pack("<HI", event.number, event.time & 0xFFFFFFFF)
        else:
            body += struct.pack("<HIQ", 0xFFFF, event.number, event.time)
        body += struct.pack("<ii", event.process, event.thread)
        body += struct.pack(_FIELDS[event.number], *event.fields)
        last = event.time
    begin = events[0].time if events else 0
    size = -(-(PACKET + len(body)) // PAGE) * PAGE
    head = struct.pack("<I16sIQ", 0xC1FC1FC1, b"", 0, 0)
    context = (begin, last, 8 * (PACKET + len(body)), 8 * size, number, discarded, 0)
    return (head + struct.pack("<QQQQQQI", *context) + body).ljust(size, b"\0")


def write_directory(place: Path, streams: Sequence[bytes], metadata: str = METADATA) -> Path:
    """Write a trace directory: the metadata, and a file for each stream."""
    directory = place / "ust" / "uid" / "0" / "64-bit"
    (directory / "index").mkdir(parents=True)
    (directory / "metadata").write_bytes(metadata_packets(metadata))
    for cpu, content in enumerate(streams):
        (directory / f"heap_{cpu}").write_bytes(content)
        (directory / "index" / f"heap_{cpu}.idx").write_bytes(b"index")
    return place
