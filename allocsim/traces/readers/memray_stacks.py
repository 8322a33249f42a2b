"""The stacks of a memray capture, as `memray_child` writes them."""

from __future__ import annotations

import msgspec
import numpy as np

from allocsim.call_sites.frame import Frame, make_frame
from allocsim.call_sites.table import SiteTable
from allocsim.errors import TraceError

MAX_TABLE = 1 << 30
"""Maximum bytes of the JSON text."""

NATIVE = "[native]"
"""Module name of every native function, because memray does not record modules."""


class _Stacks(msgspec.Struct, frozen=True):
    """The JSON object that `memray_child` writes."""

    frames: list[tuple[str, str, int, bool]]
    parents: list[int]
    frame_of: list[int]


def decode_stacks(text: bytes, name: str) -> SiteTable:
    """Return the table of call sites; raise TraceError if `text` is cut off or damaged."""
    try:
        stacks = msgspec.json.decode(text, type=_Stacks)
        frames = [_frame(*frame) for frame in stacks.frames]
        parents, frame_of = np.array([stacks.parents, stacks.frame_of], np.uint32)
    except (msgspec.DecodeError, ValueError, OverflowError) as error:
        raise TraceError(f"{name}: its stacks cannot be read: {error}") from error
    rows = np.arange(len(parents))
    if not frames or np.any(frame_of >= len(frames)) or np.any(parents[1:] >= rows[1:]):
        raise TraceError(f"{name}: its stacks are damaged; record it again")
    return SiteTable([*SiteTable().frames, *frames[1:]], parents, frame_of, rows.astype(np.uint32))


def _frame(function: str, file: str, line: int, is_native: bool) -> Frame:
    """Return the frame of an entry of `_Stacks.frames`."""
    return make_frame(function, file, line, NATIVE if is_native else "")
