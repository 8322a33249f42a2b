"""Reader of a program image whose program still runs: its files grow while they are read.

`layout` defines program images, lanes, records and stamps.

A thread reserves room for a record before it writes the record, and may be interrupted in between.
Therefore `look` stores the current ends of the lanes, and `batches`, which is called some time
later, reads up to these ends. By then, the records before the ends are written. If a thread takes
even longer, its record is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from allocsim.core.tables import grown
from allocsim.traces.calls import no_calls
from allocsim.traces.preload.lanes import Lane, new_merge, stamp_after
from allocsim.traces.preload.layout import CHUNK, Image
from allocsim.traces.preload.merge import merge_lanes, open_lanes
from allocsim.traces.preload.reader import count_used, mapped_words


class GrowingLane:
    """A lane's file. Only the chunks with unread records are mapped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0  # where the mapping starts in the file, in bytes
        self._words = np.zeros(0, np.uint64)  # the mapping

    def map_unread(self, lane: Lane) -> None:
        """Map the file from the first chunk with unread records on, and update `lane`."""
        position = lane.position - lane.start
        whole = position // CHUNK * CHUNK
        self._offset += whole
        self._words = mapped_words(self.path, self._offset)
        lane.start = self._words.ctypes.data
        lane.position = lane.start + position - whole
        lane.end = lane.start + 8 * count_used(self._words)


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
            lane.map_unread(state)

    def batches(self) -> Iterator[Any]:
        """Yield the calls up to the last `look` in arrays of CALL, which are reused."""
        open_lanes(self._merge)
        while count := merge_lanes(self._merge, self._calls):
            yield self._calls[:count]
