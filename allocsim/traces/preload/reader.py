"""Reader of a program image: merges the image's lanes into batches of calls.

A program image is what one process runs until it calls exec or ends. A lane is a sequence of
records, written by one thread or by several in turn. A stamp is the time of a record (see
`layout`). `merge` does the work in compiled code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from allocsim.traces.calls import BATCH
from allocsim.traces.prefetch import call_arrays
from allocsim.traces.preload.images import Image
from allocsim.traces.preload.lane_files import count_used, lane_words
from allocsim.traces.preload.lanes import NEVER, new_merge, stamp_after
from allocsim.traces.preload.layout import KINDS, TEXT_WORDS, Code
from allocsim.traces.preload.merge import merge_lanes, open_lanes
from allocsim.traces.preload.time_table import TimeTable

MAX_NOTES = 1 << 14
"""Maximum number of notes that are kept. A note is a record NAME, EXEC or EXEC_FAILED."""

MIN_BATCH = 1 << 6
"""Minimum number of calls in a full batch."""

MEAN_RECORD = 8
"""Bytes of most records if no sites are recorded. One with a large size, an alignment or a site has
up to 32."""

_STAMPS = 1 << 56
"""Number of different stamps. A record has room for only the low 56 bits of a stamp."""


class Started(NamedTuple):
    """A program that a process started by exec or posix_spawn."""

    process: int
    program: str
    keeps_preload: bool
    """Whether the program's environment has LD_PRELOAD and ALLOCSIM_RECORD, which load the
    recorder."""
    stamp: int
    """Stamp before this exec or spawn, minus the image's first stamp."""


class ImageReader:
    """The calls of one image, which can be read only once."""

    def __init__(self, image: Image, until: int | None = None) -> None:
        """Open the lanes. If `until` is a stamp, records with a later stamp are not read."""
        self.image = image
        lanes = [*map(lane_words, image.lanes)]
        self._words = [words for lane in lanes for words in (lane.chunks, lane.window)]
        self._merge = new_merge(image.identity, len(lanes), MAX_NOTES)
        if until is not None:
            self._merge.state[0].until = stamp_after(image.identity, until)
        for lane, words in zip(self._merge.lanes, lanes, strict=True):
            lane.start = lane.position = words.chunks.ctypes.data
            lane.end = lane.start + 8 * count_used(words.chunks)
            lane.window = words.window.ctypes.data
            lane.window_end = lane.window + 8 * words.used
        self._bytes = self._unread
        chunks = sum(words.number for words in [*lanes, lane_words(image.stacks)])
        self.missing = max(int(image.header["chunks"]) - chunks, 0)
        """Number of chunks that the recorder has begun but that are not in the files."""
        open_lanes(self._merge)

    def timed_batches(self) -> Iterator[tuple[int, Any]]:
        """Yield (stamp, calls) for each batch.

        `stamp` is the stamp of the batch's first record minus the image's first stamp. The arrays
        of calls are reused (see `call_arrays`). A short recording gets smaller arrays, of MIN_BATCH
        calls or more, so that there are about half as many batches as TimeTable.MAX_POINTS.
        """
        records = sum(words.nbytes for words in self._words) // MEAN_RECORD
        size = min(max(2 * records // TimeTable.MAX_POINTS, MIN_BATCH), BATCH)
        for calls in call_arrays(size):
            stamp, count = self.stamp, merge_lanes(self._merge, calls)
            if not count:
                return
            yield stamp, calls[:count]

    def batches(self) -> Iterator[Any]:
        """Yield arrays of CALL, which are reused (see `call_arrays`)."""
        return (calls for _, calls in self.timed_batches())

    @property
    def stamp(self) -> int:
        """The stamp of the next record minus the image's first stamp, or 0 if no record is left."""
        order = self._merge.order
        stamp = int(self._merge.lanes[order[0]].stamp) if len(order) else NEVER
        return 0 if stamp == NEVER else stamp

    @property
    def share_read(self) -> float:
        """The share of the lanes' bytes that has been read, 0 to 1."""
        return 1 - self._unread / self._bytes if self._bytes else 1.0

    @property
    def _unread(self) -> int:
        """Bytes of the lanes that have not been read."""
        lanes: Any = self._merge.lanes
        windows = np.where(lanes.window, lanes.window_end - lanes.window, 0)
        return int((lanes.end - lanes.position).clip(0).sum() + windows.sum())

    @property
    def threads(self) -> int:
        """Number of threads that made calls."""
        return int(self._merge.state[0].threads)

    @property
    def ended(self) -> int:
        """Number of threads whose end was recorded."""
        return int(self._merge.state[0].ended)

    @property
    def damaged(self) -> int:
        """Number of places in the lanes that the program has overwritten."""
        return int(self._merge.state[0].damaged)

    @property
    def calls_by_kind(self) -> dict[str, int]:
        """Number of calls read so far, by the name of each function that was called."""
        counts = self._merge.counts
        named = {name: int(sum(counts[code] for code in codes)) for name, codes in KINDS.items()}
        return {name: count for name, count in named.items() if count}

    @property
    def names(self) -> dict[int, str]:
        """Thread names by the recorder's thread number.

        The recorder writes a thread's name when the thread ends, or when the thread ends the
        process.
        """
        notes = self._notes(Code.NAME)
        return {first: text for _, first, text in notes}

    @property
    def started(self) -> list[Started]:
        """Programs that the process, or a child of vfork, started."""
        programs: list[Started] = []
        for code, stamp, first, text in self._all_notes():
            if code == Code.EXEC:
                keeps = first >> 32 & 3 == 3
                programs.append(Started(first & 0xFFFFFFFF, text.rpartition("/")[2], keeps, stamp))
            elif code == Code.EXEC_FAILED:
                _remove_last(programs, first)
        return programs

    def _notes(self, chosen: Code) -> Iterator[tuple[int, int, str]]:
        """Yield stamp, first data word and text of the notes with the code `chosen`."""
        for code, stamp, first, text in self._all_notes():
            if code == chosen:
                yield stamp, first, text

    def _all_notes(self) -> Iterator[tuple[int, int, int, str]]:
        """Yield code, stamp, first data word and text of each note: a NAME, EXEC or EXEC_FAILED."""
        state = self._merge.state[0]
        for position in self._merge.notes[: state.notes].tolist():
            words = next(
                words[(position - words.ctypes.data) // 8 :]
                for words in self._words
                if 0 <= position - words.ctypes.data < words.nbytes
            )
            head = int(words[0])
            text = words[2 : 2 + TEXT_WORDS].tobytes().split(b"\0")[0]
            # The stamp may be earlier than the image's first stamp: take the difference nearest to
            # 0.
            stamp = ((head >> 8) - self.image.identity + _STAMPS // 2) % _STAMPS - _STAMPS // 2
            yield head & 0xFF, stamp, int(words[1]), text.decode("utf-8", "replace")


def _remove_last(programs: list[Started], process: int) -> None:
    """Remove the last program that `process` tried to start, because the exec failed."""
    for index in range(len(programs) - 1, -1, -1):
        if programs[index].process == process:
            del programs[index]
            return
