"""Reader of a program image that is still being recorded: the image's files grow as they are read.

A program image is what one process runs until it calls exec or ends. `layout` defines lanes,
chunks, windows, records and stamps.

A thread reserves room for a record before it writes the record, and may be interrupted in between.
Therefore `look` stores the current ends of the lanes, and `batches`, which is called some time
later, reads up to these ends. By then, the records before the ends are written. If a thread takes
even longer, its record is read after the next `look`, or skipped if a signal handler has written
another record after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from allocsim.core.tables import grown
from allocsim.traces.calls import no_calls
from allocsim.traces.preload.images import Image
from allocsim.traces.preload.lane_files import count_used, lane_words
from allocsim.traces.preload.lanes import Lane, new_merge, stamp_after
from allocsim.traces.preload.layout import CHUNK
from allocsim.traces.preload.merge import merge_lanes, open_lanes


class GrowingLane:
    """A lane whose files grow. Only the chunks with unread records are mapped.

    Offsets are in bytes from the beginning of the lane. They stay valid when the recorder appends
    the window to the chunks.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._position = 0  # offset of the first record that is not read
        self._end = 0  # offset up to which records may be read
        self._words = lane_words(path)  # 8-byte words from _start on; a `Lane` has pointers to them
        self._start = 0

    def look(self, lane: Lane) -> None:
        """Store how far `lane` was read, and where the lane ends now."""
        self._position = self._offset(lane)
        self._map_unread()
        chunks, in_window = self._words.chunks, self._words.used
        used = chunks.nbytes + 8 * in_window if in_window else 8 * count_used(chunks)
        self._end = max(self._start + used, self._position)

    def open(self, lane: Lane) -> None:
        """Make `lane` continue at its first unread record, up to the end that `look` has stored."""
        self._map_unread()
        chunks, window = self._words.chunks, self._words.window
        position, end = self._position - self._start, self._end - self._start
        in_window = min(max(end - chunks.nbytes, 0), 8 * self._words.used)
        lane.start, lane.end = chunks.ctypes.data, chunks.ctypes.data + min(end, chunks.nbytes)
        lane.window = window.ctypes.data if in_window else 0
        lane.window_end = lane.window + in_window
        if not len(chunks) and in_window:
            lane.start, lane.end, lane.window = lane.window, lane.window_end, 0
        lane.position = lane.start + position

    def _offset(self, lane: Lane) -> int:
        """Convert the address `lane.position` to an offset."""
        chunks, window = self._words.chunks, self._words.window
        if lane.start == window.ctypes.data:
            return self._start + chunks.nbytes + lane.position - lane.start
        return self._start + lane.position - lane.start

    def _map_unread(self) -> None:
        """Map the lane again, beginning with the chunk that has the first unread record."""
        self._start = self._position // CHUNK * CHUNK
        self._words = lane_words(self.path, self._start)


class GrowingReader:
    """The calls of one image so far."""

    def __init__(self, identity: int) -> None:
        """`identity` is the image's `Image.identity`."""
        self.identity = identity
        self._merge = new_merge(identity, 0, 0)
        self._lanes: list[GrowingLane] = []
        self._calls = no_calls()

    def look(self, image: Image, now: int) -> None:
        """Store where the lanes end. `now` is a stamp that was taken before this call.

        Records with a later stamp are read only after the next `look`, because another lane may
        still receive a record with an earlier stamp.
        """
        known = {lane.path for lane in self._lanes}
        self._lanes += [GrowingLane(path) for path in image.lanes if path not in known]
        if len(self._lanes) > len(self._merge.lanes):
            lanes = grown(self._merge.lanes, len(self._lanes))
            self._merge = self._merge._replace(lanes=lanes, order=np.zeros(len(lanes), np.int64))
        self._merge.state[0].until = stamp_after(self.identity, now)
        for lane, state in zip(self._lanes, self._merge.lanes, strict=False):
            lane.look(state)

    def batches(self) -> Iterator[Any]:
        """Yield the calls up to the last `look` in arrays of CALL, which are reused."""
        for lane, state in zip(self._lanes, self._merge.lanes, strict=False):
            lane.open(state)
        open_lanes(self._merge)
        while count := merge_lanes(self._merge, self._calls):
            yield self._calls[:count]
