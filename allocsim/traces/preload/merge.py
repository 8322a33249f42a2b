"""Merge: the calls of a program image, in the order of their stamps.

A program image is what one process runs until it calls exec or ends. The threads of the process
write records of their calls into lanes, one thread at a time into each lane. The stamp of a record
is the time of the call (see `layout`). The lanes are in a binary heap, ordered by the stamp of
their next record. The merge reads a lane until another lane has an earlier record. Therefore the
binary heap does not change while only one thread is busy.

A realloc has two records, with stamps before and after the call. Between the two stamps, another
thread may get the old address from malloc, or free the block that was at the new address. If no
other record comes between the two records, they become one call. Otherwise the first record becomes
a MOVE (see `calls`), which parks the object: its address is replaced by a key that no address
equals. The second record then moves the object from this key to the new address.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.raw import load_word
from allocsim.core.records import Table
from allocsim.events import Op
from allocsim.traces.calls import MOVE, TOUCHED, CallRecord
from allocsim.traces.preload.lanes import (
    NEVER,
    Lane,
    Merge,
    MergeState,
    find_record,
)
from allocsim.traces.preload.layout import CODE, SHORT, WITH_SITE, Code
from allocsim.traces.preload.record_fields import (
    address_of,
    alignment_shift,
    request_of,
    size_in,
    stack_in,
    words_of,
)

PARKED = 1 << 58
"""PARKED plus a thread's number is the key of the object that the thread is resizing. A recorded
address has at most 56 bits."""

MAX_NUMBER = (1 << 16) - 1
"""Highest number of a thread. If an image has more threads, some of them share a number."""


@kernel
def open_lanes(merge: Merge) -> None:
    """Find the next record of each lane and build the binary heap `order`."""
    state = merge.state[0]
    for number in range(len(merge.lanes)):
        find_record(state, merge.lanes[number])
        merge.order[number] = number
    state.open = len(merge.lanes)
    for index in range(len(merge.lanes) // 2 - 1, -1, -1):
        _sift(merge, index)


@kernel
def merge_lanes(merge: Merge, calls: Table[CallRecord]) -> int:
    """Fill `calls` with the next calls of all lanes; return their number, 0 at the end."""
    state = merge.state[0]
    state.calls = 0
    # A pass of the inner loop appends at most two calls; `_park` then appends at most one more.
    while state.open and state.calls + 3 <= len(calls):
        lane = merge.lanes[merge.order[0]]
        # The lane with the second earliest record is a child of the root: at index 1 or 2.
        bound = min(_stamp_at(merge, 1), _stamp_at(merge, 2))
        if lane.stamp > state.until or lane.stamp == NEVER:
            break
        while lane.stamp <= min(bound, state.until) and state.calls + 3 <= len(calls):
            if lane.stamp == NEVER:
                break
            _take(merge, lane, calls)
            find_record(state, lane)
        if lane.step == 1:
            _park(state, lane, calls)
        _sift(merge, 0)
    return state.calls


@kernel
def _stamp_at(merge: Merge, index: int) -> int:
    """Return the stamp of the next record of the lane at an index of `order`."""
    if index >= merge.state[0].open:
        return NEVER
    return merge.lanes[merge.order[index]].stamp


@kernel
def _sift(merge: Merge, index: int) -> None:
    """Move the lane at `index` down `order` until no lane below it has an earlier record."""
    order = merge.order
    while True:
        child = 2 * index + 1
        if _stamp_at(merge, child + 1) < _stamp_at(merge, child):
            child += 1
        if _stamp_at(merge, child) >= _stamp_at(merge, index):
            return
        order[index], order[child] = order[child], order[index]
        index = child


@kernel
def _take(merge: Merge, lane: Lane, calls: Table[CallRecord]) -> None:
    """Turn the record at the lane's position into calls, and advance the position."""
    state = merge.state[0]
    position = lane.position
    head = load_word(position)
    code = head & CODE
    merge.counts[code] += 1
    lane.position += 8 * words_of(head)
    if lane.step == 1 and code != Code.RESIZED:
        _park(state, lane, calls)
    if code < Code.RESIZED:  # RESIZED, the second record of a realloc, has no stack
        has_stack = head & SHORT == 0 and head & WITH_SITE
        lane.stack = stack_in(load_word(lane.position - 8)) if has_stack else 0
    if code == Code.FREE or code == Code.DELETE:
        call = _new_call(state, lane, Op.FREE, calls)
        call.address = address_of(position, lane.base_address)
    elif code < Code.REALLOC:
        _allocation(state, lane, position, calls)
    elif code == Code.RESIZED:
        _resized(state, lane, address_of(position, lane.base_address), calls)
    elif code <= Code.REALLOCARRAY:
        lane.step = 1
        lane.old = address_of(position, lane.base_address)
        lane.request = request_of(position)
    elif code == Code.BEGIN:
        number = load_word(position + 8) >> 32
        lane.thread = number & MAX_NUMBER
        state.threads = max(state.threads, number)
    elif code == Code.END:
        state.ended += 1
        _new_call(state, lane, Op.THREAD_DONE, calls)
    elif code == Code.TOUCHED:
        call = _new_call(state, lane, TOUCHED, calls)
        call.address = address_of(position, lane.base_address)
        call.request = size_in(load_word(position + 16))
    elif state.notes < len(merge.notes):
        merge.notes[state.notes] = position
        state.notes += 1


@kernel
def _new_call(state: MergeState, lane: Lane, op: int, calls: Table[CallRecord]) -> CallRecord:
    """Append a call of the lane's thread; the fields other than `op` and `thread` are 0."""
    call = calls[state.calls]
    state.calls += 1
    call.op = op
    call.address = 0
    call.old = 0
    call.request = 0
    call.alignment = 0
    call.thread = lane.thread
    call.process = 0
    call.site = 0
    return call


@kernel
def _allocation(state: MergeState, lane: Lane, position: int, calls: Table[CallRecord]) -> None:
    """Append the allocation whose record is at `position`.

    A calloc has no alignment, so that of its record is ignored.
    """
    shift = alignment_shift(position)
    op = Op.MALLOC
    if load_word(position) & CODE == Code.CALLOC:
        op = Op.CALLOC
    elif shift:
        op = Op.MEMALIGN
    call = _new_call(state, lane, op, calls)
    call.address = address_of(position, lane.base_address)
    call.request = request_of(position)
    call.site = lane.stack
    if op == Op.MEMALIGN:
        call.alignment = 1 << min(shift, 61)


@kernel
def _park(state: MergeState, lane: Lane, calls: Table[CallRecord]) -> None:
    """Park the object that the lane's thread is resizing: its address becomes a key (see PARKED).

    Another object may then get the old address.
    """
    call = _new_call(state, lane, MOVE, calls)
    call.old = lane.old
    call.address = PARKED + lane.thread
    lane.step = 2


@kernel
def _resized(state: MergeState, lane: Lane, address: int, calls: Table[CallRecord]) -> None:
    """Append the realloc whose second record, RESIZED, gives `address`."""
    old = lane.old
    if lane.step == 0:  # the first record was lost, or the program has overwritten it
        return
    if lane.step == 2:
        old = PARKED + lane.thread
        if address == 0 and lane.request > 0:  # the realloc failed, so the object was not moved
            back = _new_call(state, lane, MOVE, calls)
            back.old = old
            back.address = lane.old
    call = _new_call(state, lane, Op.REALLOC, calls)
    call.old = old
    call.address = address
    call.request = lane.request
    call.site = lane.stack
    lane.step = 0
