"""Streams of an LTTng trace directory: the events of all CPUs, in the order of their times.

LTTng writes a file for each CPU. The file consists of packets, and a packet begins with the header
that `lttng_metadata` checks:

    offset  bytes                                offset  bytes
         0      4  0xC1FC1FC1                         48      8  size of the content in bits
        32      8  time at the beginning              56      8  size of the packet in bits
        40      8  time at the end                    64      8  number of the packet
                                                      72      8  events discarded so far

The first event is at offset PACKET_HEADER. An event has a short or a long header. The short header
is the event's id (2 bytes) and the low 32 bits of its time. The long header is EXTENDED (2 bytes),
the event's id (4 bytes) and its time (8 bytes). The size of the content includes the packet's
header.

The events are read in place, from the mapped files. The sizes in a damaged file may be wrong, so
the kernels check every position against the ends of the packet and of the file.
"""

from __future__ import annotations

from typing import NamedTuple

from allocsim.core.jit import kernel
from allocsim.core.raw import load_word
from allocsim.core.records import Int64, Struct, Table
from allocsim.events import Op
from allocsim.traces.calls import ADDRESS_BITS, HUGE, CallRecord
from allocsim.traces.readers.lttng_metadata import EventLayout
from allocsim.traces.scan.lex import product

PACKET_HEADER = 84
"""Bytes of the header of a packet."""

EXTENDED = 0xFFFF
"""The first two bytes of a long header, in place of the event's id."""

_MAGIC = 0xC1FC1FC1
_SHORT, _LONG = 6, 14
"""Bytes of the short and the long header of an event."""

_LOW_16, _LOW_32, _ADDRESS = (1 << 16) - 1, (1 << 32) - 1, (1 << ADDRESS_BITS) - 1

NEVER = (1 << 63) - 1
"""Time of the next event in a stream that has ended."""


class Stream(Struct):
    """State of one CPU's file. The first four entries are addresses in the file's mapping."""

    position: Int64  # start of the next event's fields
    content: Int64  # end of the current packet's events
    packet: Int64  # start of the next packet
    end: Int64  # end of the file
    time: Int64  # time of the next event; NEVER at the end of the file
    event: Int64  # id of the next event
    number: Int64  # number that the next packet should have; -1 before the first
    missing: Int64  # number of packets that are not in the file
    discarded: Int64  # number of events that the tracer discarded
    is_cut: Int64  # 1 if the file ends within the current packet, else 0
    broken: Int64  # number of packets that are damaged or cut off


class Streams(NamedTuple):
    """All streams of a directory."""

    streams: Table[Stream]
    layouts: Table[EventLayout]


@kernel
def start_streams(all_streams: Streams) -> None:
    """Read the header of each stream's first event."""
    for index in range(len(all_streams.streams)):
        _advance(all_streams.streams[index], all_streams.layouts)


@kernel
def read_events(all_streams: Streams, calls: Table[CallRecord]) -> int:
    """Fill `calls` with the next events of malloc's family; return their number, 0 at the end."""
    streams, layouts = all_streams.streams, all_streams.layouts
    count = 0
    while count < len(calls):
        first, until = _earliest(streams)
        stream = streams[first]
        if stream.time == NEVER:
            break
        while stream.time <= until and stream.time != NEVER and count < len(calls):
            layout = layouts[stream.event]
            if layout.op >= 0:
                _read_call(stream.position, layout, calls[count])
                count += 1
            stream.position += layout.length
            _advance(stream, layouts)
    return count


@kernel
def _earliest(streams: Table[Stream]) -> tuple[int, int]:
    """Return the index of the stream with the earliest next event, and a time limit.

    The limit is the time of the earliest next event in all other streams. Until then, the stream
    can be read without another search.
    """
    first, until = 0, NEVER
    for index in range(1, len(streams)):
        if streams[index].time < streams[first].time:
            until = min(until, streams[first].time)
            first = index
        else:
            until = min(until, streams[index].time)
    return first, until


@kernel
def _advance(stream: Stream, layouts: Table[EventLayout]) -> None:
    """Read the header of the next event, which may be in a later packet.

    At the end of the file, the stream's time becomes NEVER.
    """
    while stream.position >= stream.content or not _read_header(stream, layouts):
        if not _open_packet(stream):
            stream.time = NEVER
            return


@kernel
def _read_header(stream: Stream, layouts: Table[EventLayout]) -> bool:
    """Read an event's id and time.

    If the event is broken, go to the end of the packet and return False.
    """
    header = _SHORT
    event, position = 0, stream.position
    if stream.content - position >= 8:
        loaded = load_word(position)
        event = loaded & _LOW_16
        time = (loaded >> 16) & _LOW_32
        if event == EXTENDED and stream.content - position >= _LONG:
            header = _LONG
            event = loaded >> 16 & _LOW_32
            stream.time = load_word(position + _SHORT)
        else:
            # Modulo 2**32, the difference is correct even if the low bits have wrapped around.
            passed = (time - stream.time) & _LOW_32
            stream.time += passed
        fields = position + header
        if event < len(layouts) and 0 <= layouts[event].length <= stream.content - fields:
            stream.position = fields
            stream.event = event
            return True
    stream.broken += 1 - stream.is_cut  # `_open_packet` has already counted a cut-off packet
    stream.position = stream.content
    return False


@kernel
def _open_packet(stream: Stream) -> bool:
    """Go to the first event of the next packet; return False if no valid packet follows."""
    packet = stream.packet
    if stream.end - packet < PACKET_HEADER:
        stream.broken += stream.end > packet
        stream.packet = stream.end
        return False
    content, size = load_word(packet + 48) >> 3, load_word(packet + 56) >> 3
    if load_word(packet) & _LOW_32 != _MAGIC or not PACKET_HEADER <= content <= size:
        stream.broken += 1
        stream.packet = stream.end
        return False
    number = load_word(packet + 64)
    if stream.number >= 0 and number > stream.number:
        stream.missing += number - stream.number
    stream.number = number + 1
    stream.discarded = load_word(packet + 72)
    stream.time = load_word(packet + 32)
    stream.position = packet + PACKET_HEADER
    size = min(size, stream.end - packet)
    stream.is_cut = content > size
    stream.broken += stream.is_cut
    stream.content = packet + min(content, size)
    stream.packet = packet + size
    return True


@kernel
def _read_call(position: int, layout: EventLayout, call: CallRecord) -> None:
    """Turn the fields at `position` into a call."""
    context = load_word(position)
    call.op = layout.op
    call.process = context & _LOW_32
    call.thread = context >> 32 & _LOW_32
    call.address = load_word(position + layout.address) & _ADDRESS
    call.old = load_word(position + layout.old) & _ADDRESS if layout.old >= 0 else 0
    request = load_word(position + layout.request) if layout.op != Op.FREE else 0
    if not 0 <= request <= HUGE:
        request = HUGE
    if layout.count >= 0:
        count = load_word(position + layout.count)
        request = product(count, request) if 0 <= count <= HUGE else HUGE
    call.request = request
    call.alignment = load_word(position + layout.alignment) if layout.alignment >= 0 else 0
    if call.alignment < 0:
        call.alignment = HUGE
    # The result has 32 bits, which may be the last of the file. Load the 64-bit word that ends with
    # them, because the word that begins with them may go past the end of the file.
    if layout.result >= 0 and load_word(position + layout.result - 4) >> 32:
        call.address = 0
