"""The table of call sites in an allocsim trace: the encoding of a `SiteTable`.

A call site is a stack of frames. The stacks form a tree of nodes: a node has a frame and the node
of its caller (see `call_sites.table`). All numbers are little-endian:

    bytes
        4  CRC-32 of the bytes that follow
        4  number of sites, S, including site 0
        4  number of nodes, N, including node 0
        4  length of the JSON text in bytes
      4*S  node of each site
      4*N  node of each node's caller
      4*N  frame of each node
           JSON text of a FrameList, up to the end
"""

from __future__ import annotations

import struct
import zlib
from typing import Annotated, Any

import msgspec
import numpy as np

from allocsim.call_sites.frame import Frame, make_frame
from allocsim.call_sites.table import MAX_FRAMES, MAX_NODES, SiteTable
from allocsim.errors import TraceError
from allocsim.text import counted
from allocsim.traces.native.header import REMEDY

_FIXED = struct.Struct("<IIII")

Number = Annotated[int, msgspec.Meta(ge=0, le=(1 << 31) - 1)]


class FrameList(msgspec.Struct, frozen=True):
    """The frames of a table. Each name is stored once, because frames share files and modules."""

    names: list[str]
    frames: list[tuple[Number, Number, Number, Number]]
    """Function, file, line and module of each frame from frame 1 on. Function, file and module are
    indices into `names`."""


def encode_table(table: SiteTable) -> bytes:
    """Return the bytes of a table."""
    numbers: dict[str, int] = {}

    def number(name: str) -> int:
        """Return the number of a name."""
        return numbers.setdefault(name, len(numbers))

    frames = [
        (number(frame.function), number(frame.file), frame.line, number(frame.module))
        for frame in table.frames[1:]
    ]
    text = msgspec.json.encode(FrameList([*numbers], frames))
    arrays = (table.node_of, table.parents, table.frame_of)
    sizes = struct.pack("<III", len(table.node_of), len(table.parents), len(text))
    body = b"".join([sizes, *(np.asarray(array, "<u4").tobytes() for array in arrays), text])
    return struct.pack("<I", zlib.crc32(body)) + body


def decode_table(content: bytes, name: str) -> SiteTable:
    """Return the table in `content`; raise TraceError if it is damaged."""
    if len(content) < _FIXED.size or zlib.crc32(content[4:]) != int.from_bytes(
        content[:4], "little"
    ):
        raise TraceError(f"{name}: the checksum of its call sites does not match; {REMEDY}")
    _, sites, nodes, text = _FIXED.unpack_from(content)
    begin = _FIXED.size + 4 * (sites + 2 * nodes)
    if not (0 < nodes <= MAX_NODES and sites > 0 and begin + text == len(content)):
        raise _damaged(
            name,
            f"{counted(sites, 'site')} and {counted(nodes, 'node')} in "
            f"{counted(len(content), 'byte')}",
        )
    try:
        frame_list = msgspec.json.decode(content[begin:], type=FrameList)
        frames = _frames(frame_list)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, IndexError) as error:
        raise _damaged(name, str(error)) from error
    node_of, parents, frame_of = np.split(
        np.frombuffer(content, "<u4", sites + 2 * nodes, _FIXED.size), [sites, sites + nodes]
    )
    table = SiteTable(frames, parents, frame_of, node_of)
    if not _is_valid(table):
        raise _damaged(name, "a node number or a frame number is out of range")
    return table


def _frames(frame_list: FrameList) -> list[Frame]:
    """Return the frames from frame 0 on; raise IndexError if a name is missing."""
    names = frame_list.names
    frames = (
        make_frame(names[function], names[file], line, names[module])
        for function, file, line, module in frame_list.frames[:MAX_FRAMES]
    )
    return [*SiteTable().frames, *frames]


def _is_valid(table: SiteTable) -> bool:
    """Return whether all numbers are in range, and each caller is numbered before its callees."""
    nodes: Any = np.arange(len(table.parents))
    return bool(
        np.all(table.parents <= np.maximum(nodes - 1, 0))
        and np.all(table.frame_of < len(table.frames))
        and np.all(table.node_of < len(nodes))
        and table.frame_of[0] == table.node_of[0] == 0
    )


def _damaged(name: str, reason: str) -> TraceError:
    """Return the error for a damaged table."""
    return TraceError(f"{name}: its table of call sites is damaged ({reason}); {REMEDY}")
