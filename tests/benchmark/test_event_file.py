"""The anonymous file of a workload's events."""

import errno
import mmap
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from allocsim.benchmark.event_file import MAX_TIMES, EventFile, map_events, write_events
from allocsim.errors import EnvironmentLacks, TraceError
from allocsim.events import EVENT, Op, Trace
from tests.driving import FREEZE, Call, free, malloc, stream


def events_in(event_file: EventFile) -> Any:
    return np.frombuffer(os.pread(event_file.descriptor, 1 << 20, 0), EVENT).view(np.recarray)


def open_files() -> set[str]:
    """The descriptors of this process."""
    return {place.name for place in Path("/proc/self/fd").iterdir()}


def test_file_has_all_events_on_one_thread(event_file: Callable[..., EventFile]) -> None:
    found = event_file(stream(malloc(0, 5, thread=3), malloc(1, 6)), stream(free(0, thread=2)))
    assert found.events == 3
    assert events_in(found).op.tolist() == [Op.MALLOC, Op.MALLOC, Op.FREE]
    assert events_in(found).request.tolist() == [5, 6, 0]
    assert not events_in(found).thread.any()


def test_notes_are_dropped(event_file: Callable[..., EventFile]) -> None:
    found = event_file(stream(malloc(0, 5), FREEZE, Call(Op.THREAD_DONE), free(0)))
    assert events_in(found).op.tolist() == [Op.MALLOC, Op.FREE]


def test_file_has_no_name(event_file: Callable[..., EventFile]) -> None:
    place = Path(f"/proc/self/fd/{event_file(stream(malloc(0, 5))).descriptor}")
    assert str(place.readlink()).endswith("(deleted)")


def test_file_can_be_neither_written_nor_mapped_for_writing(
    event_file: Callable[..., EventFile],
) -> None:
    found = event_file(stream(malloc(0, 5)))
    again = os.open(f"/proc/self/fd/{found.descriptor}", os.O_RDWR)
    for descriptor in (found.descriptor, again):
        with pytest.raises(PermissionError):
            os.pwrite(descriptor, b"x", 0)
        with pytest.raises(PermissionError):
            mmap.mmap(descriptor, EVENT.itemsize)
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, 0)
    os.close(again)
    assert events_in(found).request.tolist() == [5]


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(TraceError("line 3"), TraceError), (KeyboardInterrupt(), KeyboardInterrupt)],
    ids=["bad line", "Ctrl-C"],
)
def test_error_while_reading_leaves_no_file_open(
    raised: BaseException, expected: type[BaseException]
) -> None:
    def chunks() -> Iterator[Any]:
        yield stream(malloc(0, 5))
        raise raised

    before = open_files()
    with pytest.raises(expected):
        write_events(Trace("broken", chunks(), {}))
    assert open_files() == before


def test_events_take_at_most_half_of_the_available_memory() -> None:
    before = open_files()
    calls = [malloc(number, 5) for number in range(4)]
    for available, fits in ((8 * EVENT.itemsize, True), (8 * EVENT.itemsize - 1, False)):
        trace = Trace("large", iter([stream(*calls)]), {})
        if fits:
            write_events(trace, available=lambda room=available: room).close()  # type: ignore[misc]
        else:
            with pytest.raises(EnvironmentLacks, match="first 4 events already need more than"):
                write_events(trace, available=lambda room=available: room)  # type: ignore[misc]
    assert open_files() == before


def test_full_memory_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(EnvironmentLacks, match="do not fit in memory: No space left"):
        write_events(Trace("large", iter([stream(malloc(0, 5))]), {}))


@pytest.mark.parametrize(("count", "kept"), [(0, 0), (1, 1), (1024, 1024), (1025, 513)])
def test_times_are_few_enough_for_an_argument(count: int, kept: int) -> None:
    source = {"times": [[row, 10 * row] for row in range(count)]}
    file = write_events(Trace("t", iter([stream(malloc(0, 5), free(0))]), {"source": source}))
    file.close()
    assert len(file.times) == kept <= MAX_TIMES
    assert file.seconds == (file.times[-1][1] / 1e9 if count else None)


def test_only_the_first_events_are_mapped(event_file: Callable[..., EventFile]) -> None:
    whole = event_file(stream(malloc(0, 5), malloc(1, 6), free(0)))
    first = whole.up_to(2)
    assert (first.events, first.first, whole.first) == (2, 2, None)
    assert map_events(first.descriptor, first.first).request.tolist() == [5, 6]
    assert len(map_events(whole.descriptor, 0)) == 0
    assert len(map_events(whole.descriptor, whole.up_to(9).first)) == 3


def test_ends_of_threads_between_the_first_events_are_mapped_too() -> None:
    calls = [malloc(0, 5), malloc(1, 6, 1), Call(Op.THREAD_DONE, thread=1), free(0)]
    whole = write_events(Trace("t", iter([stream(*calls)]), {}), recorded=True)
    rows = [map_events(whole.descriptor, whole.up_to(count).first) for count in range(4)]
    assert [len(each) for each in rows] == [0, 1, 2, 4]
    assert (whole.notes, whole.up_to(2).events) == ([2], 2)
    whole.close()
