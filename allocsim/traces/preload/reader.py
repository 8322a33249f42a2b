"""Reader of a program image: its lanes as batches of calls."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from allocsim.core.tables import records
from allocsim.traces.calls import BATCH
from allocsim.traces.prefetch import call_arrays
from allocsim.traces.preload.layout import CHUNK, KINDS, TEXT_WORDS, Code, Image
from allocsim.traces.preload.merge import (
    NEVER,
    Lane,
    Merge,
    MergeState,
    merge_lanes,
    open_lanes,
)
from allocsim.traces.preload.time_table import TimeTable

MAX_NOTES = 1 << 14
"""Names of threads and started programs that are kept."""

MIN_BATCH = 1 << 6
"""Minimum of calls in a full batch."""

MEAN_RECORD = 20
"""Bytes of a record: 24 for malloc, 16 for free."""

_STAMPS = 1 << 56


class Started(NamedTuple):
    """A program that a process began by exec or posix_spawn."""

    process: int
    program: str
    keeps_preload: bool
    """Whether its environment loads the recorder."""
    stamp: int
    """Stamp before the call, relative to the image's first."""


class ImageReader:
    """The calls of one image. Use it once."""

    def __init__(self, image: Image, until: int | None = None) -> None:
        """Map the lanes. If `until` is a stamp, records with a later stamp are not read."""
        self.image = image
        self._mappings = [*filter(len, map(_mapped, image.lanes))]
        self._merge = Merge(
            records(MergeState),
            records(Lane, len(self._mappings)),
            np.zeros(len(self._mappings), np.int64),
            np.zeros(len(Code) + 1, np.int64),
            np.zeros(MAX_NOTES, np.int64),
        )
        state = self._merge.state[0]
        state.identity = _signed(image.identity)
        state.until = NEVER - 1 if until is None else (until - image.identity) % _STAMPS
        for lane, words in zip(self._merge.lanes, self._mappings, strict=True):
            lane.start = lane.position = words.ctypes.data
            lane.end = lane.start + 8 * _count_used(words)
        open_lanes(self._merge)

    def timed_batches(self) -> Iterator[tuple[int, Any]]:
        """Yield a stamp, relative to the image's first, and an array of CALL from there on.

        The arrays are reused (see `call_arrays`). In a short recording they are short, so that
        there are enough stamps.
        """
        records = sum(words.nbytes for words in self._mappings) // MEAN_RECORD
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
        """The stamp of the next record, relative to the image's first."""
        order = self._merge.order
        stamp = int(self._merge.lanes[order[0]].stamp) if len(order) else NEVER
        return 0 if stamp == NEVER else stamp

    @property
    def share_read(self) -> float:
        """The share of the lanes that was read, 0 to 1."""
        lanes: Any = self._merge.lanes
        total = int((lanes.end - lanes.start).sum())
        return int((lanes.position - lanes.start).sum()) / total if total else 1.0

    @property
    def threads(self) -> int:
        """Threads that made calls."""
        return int(self._merge.state[0].threads)

    @property
    def ended(self) -> int:
        """Threads of which the end was recorded."""
        return int(self._merge.state[0].ended)

    @property
    def damaged(self) -> int:
        """Lanes that the program has overwritten."""
        return int(self._merge.state[0].damaged)

    @property
    def calls_by_kind(self) -> dict[str, int]:
        """Calls that were read, by the function called, without zeros."""
        counts = self._merge.counts
        named = {name: int(sum(counts[code] for code in codes)) for name, codes in KINDS.items()}
        return {name: count for name, count in named.items() if count}

    @property
    def names(self) -> dict[int, str]:
        """Names of threads that have ended, and of the thread that ended the process."""
        notes = self._notes(Code.NAME)
        return {first: text for _, first, text in notes}

    @property
    def started(self) -> list[Started]:
        """Programs that the process, or a child of vfork, began."""
        found: list[Started] = []
        for code, stamp, first, text in self._all_notes():
            if code == Code.EXEC:
                keeps = first >> 32 & 3 == 3
                found.append(Started(first & 0xFFFFFFFF, text.rpartition("/")[2], keeps, stamp))
            elif code == Code.EXEC_FAILED:
                _remove_last(found, first)
        return found

    def _notes(self, wanted: Code) -> Iterator[tuple[int, int, str]]:
        """Yield stamp, first word and text of the records of one code."""
        for code, stamp, first, text in self._all_notes():
            if code == wanted:
                yield stamp, first, text

    def _all_notes(self) -> Iterator[tuple[int, int, int, str]]:
        """Yield code, stamp, first word and text of each note that was read."""
        state = self._merge.state[0]
        for position in self._merge.notes[: state.notes].tolist():
            words = next(
                words[(position - words.ctypes.data) // 8 :]
                for words in self._mappings
                if 0 <= position - words.ctypes.data < words.nbytes
            )
            head = int(words[0])
            text = words[2 : 2 + TEXT_WORDS].tobytes().split(b"\0")[0]
            stamp = ((head >> 8) - self.image.identity + _STAMPS // 2) % _STAMPS - _STAMPS // 2
            yield head & 0xFF, stamp, int(words[1]), text.decode("utf-8", "replace")


def _remove_last(found: list[Started], process: int) -> None:
    """Remove the last program that a process began: its exec failed."""
    for index in range(len(found) - 1, -1, -1):
        if found[index].process == process:
            del found[index]
            return


def _mapped(path: Path) -> Any:
    """Return the whole chunks of a lane's file as words; they are mapped, not read."""
    with path.open("rb") as file:
        length = file.seek(0, 2) // CHUNK * CHUNK
        if not length:
            return np.zeros(0, np.uint64)
        mapping = mmap.mmap(file.fileno(), length, prot=mmap.PROT_READ)
    mapping.madvise(mmap.MADV_SEQUENTIAL)
    return np.frombuffer(mapping, np.uint64)


def _count_used(words: Any) -> int:
    """Return the number of words up to the last one that is not 0.

    Chunks that could not be mapped after they were made are empty.
    """
    for start in range(len(words) - CHUNK // 8, -1, -CHUNK // 8):
        used = np.flatnonzero(words[start : start + CHUNK // 8])
        if len(used):
            return start + int(used[-1]) + 1
    return 0


def _signed(number: int) -> int:
    """Return the signed 64-bit number with the same bits."""
    return number - (1 << 64) if number >> 63 else number
