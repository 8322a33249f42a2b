"""Events for the ends of threads in an event file: recorded, inferred, or missing."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from allocsim.benchmark.event_file import EventFile, write_events
from allocsim.capabilities import Capabilities, Extent
from allocsim.events import EVENT, Op, Trace
from tests.benchmark.threads.workloads import done, random_threads
from tests.driving import FREEZE, Call, free, malloc, stream_of

CALLS = [malloc(0, 1), malloc(1, 1, 2), malloc(2, 1, 1), free(1, 2), free(0, 1), malloc(0, 5)]


@pytest.fixture
def files() -> Iterator[list[EventFile]]:
    """A list of files that are closed after the test."""
    made: list[EventFile] = []
    yield made
    for each in made:
        each.close()


def written(
    files: list[EventFile],
    *chunks: list[Call],
    kind: str = "trace",
    ends: Extent = "no",
    **how: Any,
) -> tuple[EventFile, list[tuple[int, int]]]:
    """Write chunks of calls; return the file, and the operation and thread of its events."""
    trace = Trace("test", iter([stream_of(chunk) for chunk in chunks]), {"kind": kind})
    trace.capabilities = Capabilities(thread_ends=ends)
    file = write_events(trace, **{"recorded": True, **how})
    files.append(file)
    events = np.frombuffer(os.pread(file.descriptor, 1 << 20, 0), EVENT)
    return file, [(int(event["op"]), int(event["thread"])) for event in events]


def names(calls: list[Call]) -> list[tuple[int, int]]:
    """Return the operation and thread of each call."""
    return [(call.op, call.thread) for call in calls]


def test_ends_are_inferred_after_the_last_event_of_each_thread_but_the_first(
    files: list[EventFile],
) -> None:
    file, found = written(files, CALLS[:2], CALLS[2:])
    assert (file.ends, file.events, file.threads, file.recorded) == ("inferred", 6, 3, True)
    assert found == names([*CALLS[:4], done(2), CALLS[4], done(1), CALLS[5]])


def test_recorded_ends_are_kept(files: list[EventFile]) -> None:
    calls = [CALLS[0], FREEZE, CALLS[1], done(2), *CALLS[2:], done(1)]
    file, found = written(files, calls[:4], calls[4:])
    assert file.ends == "recorded"
    assert found == names([call for call in calls if call is not FREEZE])


@pytest.mark.parametrize(("kind", "ends"), [("server", "unknown"), ("trace", "yes")])
def test_ends_are_not_inferred_if_no_thread_has_ended(
    files: list[EventFile], kind: str, ends: Extent
) -> None:
    file, found = written(files, CALLS, kind=kind, ends=ends)
    assert (file.ends, found) == (None, names(CALLS))


def test_one_thread_has_no_ends(files: list[EventFile]) -> None:
    file, found = written(files, CALLS, recorded=False)
    assert (file.ends, file.recorded, file.threads) == (None, False, 3)
    assert found == [(call.op, 0) for call in CALLS]
    file, found = written(files, [malloc(0, 1), done(0), free(0)])
    assert (file.ends, file.recorded) == (None, False)
    assert found == [(Op.MALLOC, 0), (Op.FREE, 0)]


def test_many_ends_keep_their_places(files: list[EventFile]) -> None:
    calls = random_threads(1, 500, 9)
    _, found = written(files, calls[:77], [], calls[77:], ends="yes")
    assert found == names(calls)


def test_threads_at_once_are_alive_from_their_first_events_to_their_ends(
    files: list[EventFile],
) -> None:
    one_after_another = [
        each for n in range(1, 6) for each in (malloc(n, 1, n), free(n, n), done(n))
    ]
    overlapping = [*(malloc(n, 1, n) for n in range(5)), *(done(n) for n in range(4, 0, -1))]
    for calls, at_once in (
        ([malloc(0, 1), *one_after_another], 2),
        ([*overlapping, *one_after_another[-3:]], 5),
    ):
        assert written(files, calls[:3], calls[3:])[0].at_once == at_once
    assert written(files, overlapping, recorded=False)[0].at_once == 1
    assert written(files, overlapping[:5], ends="yes")[0].at_once == 5
