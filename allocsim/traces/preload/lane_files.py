"""The two files that hold a lane (see `layout`).

A lane is a sequence of records that one thread at a time writes. One file, the window, holds the
last chunk; the recorder maps this file into the program. When the window is full, the recorder
appends the chunk to the other file, which holds all earlier chunks, and then clears the window. The
last word of a window is the number of chunks before it. If the other file has more chunks than
that, the recorder had not yet cleared the window, and the window does not count.

The program may still run while its lanes are read.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from allocsim.traces.preload.layout import CHUNK, SLACK

_WORDS = CHUNK // 8

_ZEROS = 2 * SLACK // 8
"""Number of words copied after the last one that is not 0, because a record, or an entry of lane 0
(see `stacks`), may end with words that are 0. An entry with a stack can have more words than this,
but its last word is never 0, so all its words are copied."""


class LaneWords(NamedTuple):
    """The words of a lane from a chunk on. `chunks`, `window` or both may be empty."""

    chunks: Any
    """The chunks, as an array that is mapped from the file."""
    window: Any
    """The words after these chunks, copied from the window: those in use, and some zeros."""
    used: int
    """Number of words of the window that are in use, as `count_used` returns it."""
    has_window: bool
    """Whether there is a window that counts; it may have no record."""

    @property
    def number(self) -> int:
        """Number of chunks, the window included. `count_chunks` counts those before the window."""
        return count_chunks(self.chunks) + self.has_window


def window_of(lane: Path) -> Path:
    """Return the file of a lane's window."""
    return lane.with_name(f"{lane.name}w")


def has_files(lane: Path) -> bool:
    """Return whether a lane has any file."""
    return lane.exists() or window_of(lane).exists()


def lane_words(lane: Path, start: int = 0) -> LaneWords:
    """Return the words of a lane from the offset `start` on, which is a multiple of CHUNK."""
    window, before = _copied_window(window_of(lane))
    # The window is copied before the file is read. If the file then lacks the window's chunk, the
    # recorder had not begun to clear the window, so the copy is complete.
    chunks = mapped_chunks(lane, start)
    has_window = len(window) > 0 and before >= start + chunks.nbytes
    used = count_used(window) if has_window else 0
    return LaneWords(chunks, window[: used + _ZEROS if used else 0].copy(), used, has_window)


def mapped_chunks(path: Path, start: int) -> Any:
    """Map the complete chunks of a file from the offset `start` on; return an array of words."""
    if not path.exists():
        return np.zeros(0, np.uint64)
    with path.open("rb") as file:
        length = file.seek(0, 2) // CHUNK * CHUNK - start
        if length <= 0:
            return np.zeros(0, np.uint64)
        mapping = mmap.mmap(file.fileno(), length, prot=mmap.PROT_READ, offset=start)
    mapping.madvise(mmap.MADV_SEQUENTIAL)
    return np.frombuffer(mapping, np.uint64)


def _copied_window(path: Path) -> tuple[Any, int]:
    """Return the words of a window, and the length in bytes of the chunks before it.

    Returns no words and 0 if the window's file does not exist or is shorter than a chunk.
    """
    if not path.exists():
        return np.zeros(0, np.uint64), 0
    while True:
        number = np.fromfile(path, np.uint64, 1, offset=CHUNK - 8)
        words = np.fromfile(path, np.uint64, _WORDS)
        if len(words) < _WORDS or not len(number):
            return np.zeros(0, np.uint64), 0
        if words[-1] == number[0]:  # otherwise the window was emptied in between
            return words, int(number[0]) * CHUNK


def count_chunks(words: Any) -> int:
    """Return the number of chunks up to the last one in use, plus one if another follows.

    In recordings up to version 3 (see `layout`), the recorder may have mapped this next chunk and
    counted it in the header, but not yet used it when the program was killed.
    """
    used = -(-8 * count_used(words) // CHUNK)
    return min(used + 1, 8 * len(words) // CHUNK)


def count_used(words: Any) -> int:
    """Return the number of words up to the last one that is not 0, in an array of whole chunks.

    The last SLACK bytes of each chunk have no records and are ignored. The words that are not
    counted are the rest of the last chunk in use, and chunks that the recorder has not used.
    """
    for start in range(len(words) - _WORDS, -1, -_WORDS):
        # A copy, because a process that is still running may write, and NumPy would then fail.
        used = np.flatnonzero(np.array(words[start : start + _WORDS - SLACK // 8]))
        if len(used):
            return start + int(used[-1]) + 1
    return 0
