"""A first pass over the events: the threads, their calls, and the objects that threads share.

A recorded thread number can be reused: after the recorded end of a thread, the thread's number
means a new thread. Object ids are reused too. A life is the time from an allocation to the free of
the object. Lives are numbered from 0, in the order of their allocations.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.memory import table
from allocsim.core.records import Int64, Struct, Table
from allocsim.events import MAX_THREADS, Event, Op


class Counts(Struct):
    """Totals of a survey."""

    threads: Int64
    calls: Int64
    lives: Int64  # lives begun so far: one for each allocation
    switches: Int64  # calls whose thread differs from that of the previous call


class User(Struct):
    """The latest allocation that got a given object id. The table has a row for each id."""

    thread: Int64  # the thread that made the allocation
    life: Int64  # number of the life that the allocation began


class Survey(NamedTuple):
    """The results of a survey."""

    counts: Table[Counts]  # one row
    calls: np.ndarray  # int64: calls of each thread
    shared: np.ndarray  # uint8, for each life: 1 if several threads use the object


def survey(events: Table[Event], objects: int) -> Survey:
    """Return the survey of events with `objects` object ids."""
    ends = int(np.count_nonzero(events.op == Op.THREAD_DONE))
    threads = int(events.thread.max(initial=0)) + 1 + ends
    result = Survey(table(Counts, 1), table(np.int64, threads), table(np.uint8, len(events) + 1))
    run_survey(result, events, table(User, objects), new_numbers())
    return result


def new_numbers() -> Any:
    """Return a table of zeros for `number_of`.

    The table has an entry for each recorded thread number: 1 plus the number of the thread to which
    the recorded number refers now, or 0 if it refers to no thread.
    """
    return table(np.int64, MAX_THREADS)


@kernel
def run_survey(
    result: Survey, events: Table[Event], users: Table[User], numbers: np.ndarray
) -> None:
    """Fill a survey whose tables are all zero."""
    counts, last = result.counts[0], -1
    for index in range(len(events)):
        event = events[index]
        if event.op == Op.THREAD_DONE:
            numbers[event.thread] = 0
        if event.op > Op.FREE:
            continue
        thread = number_of(numbers, event.thread, counts)
        counts.calls += 1
        counts.switches += thread != last
        last = thread
        result.calls[thread] += 1
        user = users[event.object]
        if event.op < Op.REALLOC:
            user.thread, user.life = thread, counts.lives
            counts.lives += 1
        elif user.thread != thread:
            result.shared[user.life] = 1


@kernel
def number_of(numbers: np.ndarray, recorded: int, counts: Counts) -> int:
    """Return the thread, counted from 0, to which a recorded thread number refers now."""
    if numbers[recorded] == 0:
        counts.threads += 1
        numbers[recorded] = counts.threads
    return numbers[recorded] - 1
