"""Kernels that find the next record of each lane of a program image, and count damaged places.

A program image is what a process runs from one exec to the next. `layout` defines lanes and
records. The recorder maps its files into the recorded program, which may have overwritten any byte.
Therefore the kernels check every position, and read nothing outside a lane's mapping.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.raw import load_word
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import records
from allocsim.traces.preload.layout import CHUNK, CODE, SHORT, SLACK, Code
from allocsim.traces.preload.record_fields import is_operation, stamp_of, words_of

NEVER = (1 << 62) - 1
"""A stamp after all others: the lane has no more records."""

MAX_ZEROS = 16
"""Maximum number of words that are 0 before a record. Such words are at the end of a chunk, and
where a signal handler interrupted the writing of a record. If more words are 0, the program has
overwritten records."""

_STAMP = (1 << 56) - 1


class Lane(Struct):
    """A lane, and the state of the thread that wrote the record before `position`.

    A realloc is open if the first of its two records was read, and the second was not. While it is
    open, its object may be parked: a key replaces the object's address (see `merge`).
    """

    start: Int64  # address of the first chunk, or of the window once the chunks are read
    end: Int64  # address after the last word of the chunks, or of the window
    window: Int64  # address of the window (see `lane_files`); 0: none, or its reading has begun
    window_end: Int64  # address after the last word of the window
    position: Int64  # address of the next record
    stamp: Int64  # stamp of the next record (see `stamp_after`); NEVER: no more records
    base_stamp: Int64  # stamp and address of the last BASE record
    base_address: Int64
    thread: Int64  # number of the thread
    step: Int64  # 0: no realloc is open; 1: one is open; 2: open and parked
    old: Int64  # the address passed to the open realloc
    request: Int64  # the new size, which was passed to the realloc
    stack: Int64  # number of the stack of the realloc; 0: not recorded


class MergeState(Struct):
    """Counters of a merge."""

    open: Int64  # number of lanes in `order`
    identity: Int64  # stamp of the image's first record
    until: Int64  # records with a later stamp are not read
    calls: Int64  # calls in the current batch
    threads: Int64  # threads that made calls
    ended: Int64  # threads whose end was recorded
    notes: Int64  # used entries of Merge.notes; once all are used, notes are dropped
    damaged: Int64  # places with invalid bytes, and runs of more than MAX_ZEROS zero words


class Merge(NamedTuple):
    """State of a merge."""

    state: Table[MergeState]  # one row
    lanes: Table[Lane]
    order: np.ndarray  # int64: lanes, as a binary heap by the stamp of the next record
    counts: np.ndarray  # int64: records by Code
    notes: np.ndarray  # int64: addresses of the records NAME, EXEC and EXEC_FAILED


def new_merge(identity: int, lanes: int, notes: int) -> Merge:
    """Return the state of a merge of `lanes` empty lanes, with room for `notes` notes.

    `identity` is the stamp of the image's first record.
    """
    merge = Merge(
        records(MergeState),
        records(Lane, lanes),
        np.zeros(lanes, np.int64),
        np.zeros(len(Code) + 1, np.int64),
        np.zeros(notes, np.int64),
    )
    merge.state[0].identity = identity - (1 << 64) if identity >> 63 else identity
    merge.state[0].until = NEVER - 1
    return merge


def stamp_after(image_stamp: int, stamp: int) -> int:
    """Return a stamp minus the stamp of the image's first record."""
    return (stamp - image_stamp) & _STAMP


@kernel
def find_record(state: MergeState, lane: Lane) -> None:
    """Set `position` and `stamp` of a lane to those of its next record."""
    zeros = 0
    while lane.position < lane.end or _enter_window(lane):
        offset = (lane.position - lane.start) & (CHUNK - 1)
        room = CHUNK - SLACK - offset
        if room < 8:
            lane.position += CHUNK - offset
            continue
        word = load_word(lane.position)
        code = word & CODE if word & SHORT == 0 else 0
        if word == 0:
            lane.position += 8
            zeros += 1
        elif code == Code.UNWRITTEN:
            words = max(word >> 8 & 7, 1)
            if lane.position + 8 * words >= lane.end and lane.window == 0:
                lane.stamp = NEVER  # the record may still be written, if the lane is in use
                return
            lane.position += 8 * words
        elif (
            not is_operation(word)
            or 8 * words_of(word) > room
            or (word & SHORT and lane.base_address == 0)  # there was no BASE record
        ):
            state.damaged += 1
            lane.window = 0
            break
        elif code == Code.BASE:
            lane.base_stamp, lane.base_address = word >> 8, load_word(lane.position + 8)
            lane.position += 8 * words_of(word)
        else:
            stamp = stamp_of(word, lane.base_stamp) - state.identity & _STAMP
            # The stamp of a record may be slightly earlier than that of the image's first record.
            # The difference modulo 2**56 is then almost 2**56, and is replaced by 0.
            lane.stamp = stamp if stamp >> 55 == 0 else 0
            if zeros > MAX_ZEROS:
                state.damaged += 1
            return
    # If the lane is still being written, its last record may extend past `end`.
    lane.position = max(lane.position, lane.end)
    lane.stamp = NEVER


@kernel
def _enter_window(lane: Lane) -> bool:
    """Continue in the lane's window; return False if there is no window with unread words."""
    if lane.window == 0:
        return False
    lane.start = lane.position = lane.window
    lane.end = lane.window_end
    lane.window = 0
    return lane.position < lane.end
