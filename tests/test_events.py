"""The layout of events; traces on one thread; closing a trace; the first events of a trace."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from allocsim.events import (
    CHUNK,
    EVENT,
    Op,
    Trace,
    closing_chunks,
    first_events,
    no_events,
    on_one_thread,
)


def test_event_takes_16_bytes_and_has_no_hole() -> None:
    assert EVENT.itemsize == 16
    assert sum(EVENT[name].itemsize for name in EVENT.names or ()) == 16


def test_full_chunk_is_512_kib() -> None:
    assert CHUNK * EVENT.itemsize == 512 << 10


def test_calls_come_before_notes() -> None:
    """Kernels rely on this order."""
    assert [op.name for op in Op if op <= Op.FREE] == [
        "MALLOC", "CALLOC", "MEMALIGN", "REALLOC", "FREE",
    ]  # fmt: skip
    assert [op.name for op in Op if op > Op.FREE] == ["THREAD_DONE", "FREEZE", "RELEASE"]
    assert [op for op in Op if op < Op.REALLOC] == [Op.MALLOC, Op.CALLOC, Op.MEMALIGN]


def test_new_events_are_zero() -> None:
    events = no_events(3)
    assert events.tolist() == [(0, 0, 0, 0, 0)] * 3
    assert len(no_events()) == 0


def threaded() -> Trace:
    """Return two chunks of three threads, one of which ends."""
    first, second = no_events(3), no_events(2)
    first.thread[:] = [0, 1, 2]
    first.op[:] = [Op.MALLOC, Op.THREAD_DONE, Op.FREE]
    first.object[:] = [5, 0, 6]
    second.thread[:] = [2, 1]
    second.op[:] = [Op.THREAD_DONE, Op.FREEZE]
    return Trace("t", iter([first, second]), {"kind": "x"}, length=3, seed=4)


def test_one_thread_has_all_events_but_the_ends_of_threads() -> None:
    chunks = [chunk.copy() for chunk in on_one_thread(threaded()).chunks]
    events = np.concatenate(chunks)
    assert events["thread"].tolist() == [0, 0, 0]
    assert events["op"].tolist() == [Op.MALLOC, Op.FREE, Op.FREEZE]
    assert events["object"].tolist() == [5, 6, 0]


def test_one_thread_leaves_what_is_known_of_the_trace() -> None:
    trace = on_one_thread(threaded())
    assert (trace.name, trace.description, trace.length, trace.seed) == ("t", {"kind": "x"}, 3, 4)


def test_one_thread_does_not_write_into_the_chunks_it_takes() -> None:
    chunk = no_events(1)
    chunk.thread[:] = 9
    list(on_one_thread(Trace("t", iter([chunk]), {})).chunks)
    assert chunk.thread.tolist() == [9]


def test_closing_an_unused_trace_closes_its_resource() -> None:
    closed = []

    class Held:
        """A resource that records whether it was closed."""

        def close(self) -> None:
            """Note the call."""
            closed.append(self)

    held = Held()
    Trace("t", (chunk for chunk in list[Any]()), {}, resource=held).close()
    assert closed == [held]


def test_chunks_are_closed_after_an_error() -> None:
    closed = []

    def generated() -> Iterator[int]:
        """Yield numbers; record that the generator was closed."""
        try:
            yield from range(10)
        finally:
            closed.append(True)

    def fail() -> None:
        """Raise KeyError after the first chunk."""
        with closing_chunks(chunks):
            next(chunks)
            raise KeyError

    chunks = generated()
    with pytest.raises(KeyError):
        fail()
    assert closed == [True]


def test_iterator_that_cannot_be_closed_is_left_alone() -> None:
    with closing_chunks(iter([no_events(1)])):
        pass


def test_first_events_end_after_the_last_one_and_do_not_count_notes() -> None:
    events = no_events(7)
    events.op[:] = (Op.MALLOC, Op.THREAD_DONE, Op.MALLOC, Op.FREEZE, Op.MALLOC, Op.FREE, Op.FREE)
    for length in (1, 2, 7):
        for count, expected in ((0, 0), (1, 1), (2, 3), (3, 5), (5, 7), (9, 7)):
            chunks = (events[start : start + length] for start in range(0, 7, length))
            kept = first_events(Trace("test", chunks, {}), count).chunks
            assert sum(map(len, kept)) == expected


def test_trace_on_one_thread_stays_so_when_it_is_opened_again() -> None:
    def opened() -> Trace:
        """Return a trace of two events of thread 3."""
        events = no_events(2)
        events.thread[:] = 3
        return Trace("test", iter([events]), {}, reopen=opened)

    again = on_one_thread(opened()).reopen
    assert again is not None
    assert [chunk.thread.tolist() for chunk in again().chunks] == [[0, 0]]


def test_first_events_are_cut_off_again_when_the_trace_is_reopened() -> None:
    def opened() -> Trace:
        """Return a trace that can be opened again."""
        trace = threaded()
        trace.reopen = opened
        return trace

    first = first_events(opened(), 2)
    assert first.length == 2
    assert first.reopen is not None
    assert [len(chunk) for chunk in first.reopen().chunks] == [3]


@pytest.mark.parametrize(("length", "cut"), [(3, 3), (None, None)])
def test_first_events_of_a_shorter_trace_keep_its_length(
    length: int | None, cut: int | None
) -> None:
    trace = threaded()
    trace.length = length
    assert first_events(trace, 10).length == cut
