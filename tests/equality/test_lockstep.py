"""Lock step: events keep their order, and each recorded thread is an OS thread."""

import os
import threading
from typing import Any

import pytest

from allocsim.events import Op, no_events
from tests.driving import Call, free, malloc, stream
from tests.equality.lockstep import LockStep

RELEASE = Call(Op.RELEASE, request=12345)


def done(thread: int) -> Call:
    """Return the end of a thread."""
    return Call(Op.THREAD_DONE, thread=thread)


class Recorder:
    """Records the objects replayed, in order, and the OS threads of each recorded thread."""

    def __init__(self) -> None:
        self.order: list[int | str] = []
        self.threads: dict[int, set[int]] = {}
        self.steps = LockStep(self.replay, self.release)

    def replay(self, events: Any) -> None:
        """Record the objects and the OS thread."""
        for event in events:
            self.order.append(int(event.object))
            self.threads.setdefault(int(event.thread), set()).add(threading.get_native_id())

    def release(self, length: int) -> None:
        """Record the release."""
        self.order.append(f"release {length}")


@pytest.fixture
def recorder() -> Recorder:
    """A recorder with no events."""
    return Recorder()


def exists(thread: int) -> bool:
    """Return whether a thread of this process exists."""
    return os.path.exists(f"/proc/self/task/{thread}")  # noqa: PTH110 - a kernel's file


def test_events_keep_their_order_across_threads(recorder: Recorder) -> None:
    threads = [0, 1, 1, 2, 0, 2, 1, 0, 0, 2]
    recorder.steps.step(stream(*[malloc(n, 8, thread) for n, thread in enumerate(threads)]))
    recorder.steps.close()
    assert recorder.order == list(range(10))


def test_each_thread_has_its_own_os_thread_and_keeps_it(recorder: Recorder) -> None:
    for _ in range(2):
        recorder.steps.step(stream(*[malloc(thread, 8, thread) for thread in (2, 0, 1, 2)]))
    found = {thread: ids.pop() for thread, ids in recorder.threads.items() if len(ids) == 1}
    assert sorted(found) == [0, 1, 2]
    assert len(set(found.values())) == 3
    assert found[0] == threading.get_native_id()
    assert all(exists(thread) for thread in found.values())
    recorder.steps.close()


def test_ended_thread_is_gone_and_its_number_can_be_reused(recorder: Recorder) -> None:
    recorder.steps.step(stream(malloc(0, 8, 1), malloc(1, 8, 2)))
    (first,), (other,) = recorder.threads[1], recorder.threads[2]
    recorder.steps.step(stream(done(1)))
    assert (exists(first), exists(other)) == (False, True)
    recorder.steps.step(stream(free(0, 1)))
    assert recorder.order == [0, 1, 0]
    recorder.steps.close()
    assert not exists(other)


def test_end_of_an_unknown_thread_or_of_the_calling_one_does_nothing(
    recorder: Recorder,
) -> None:
    recorder.steps.step(stream(done(0), done(7), malloc(1, 8)))
    assert recorder.order == [1]


def test_notes_keep_their_place_between_events(recorder: Recorder) -> None:
    calls = [malloc(0, 8), malloc(1, 8), RELEASE, RELEASE, malloc(2, 8, 1), done(1), malloc(3, 8)]
    recorder.steps.step(stream(*calls))
    recorder.steps.close()
    assert recorder.order == [0, 1, "release 12345", "release 12345", 2, 3]


def test_every_end_of_a_thread_is_noted() -> None:
    ended: list[int] = []
    steps = LockStep(lambda _: None, lambda _: None, lambda: ended.append(1))
    steps.step(stream(done(0), malloc(0, 8, 1), done(1), done(7)))
    assert len(ended) == 3


def test_freeze_is_ignored(recorder: Recorder) -> None:
    recorder.steps.step(stream(malloc(0, 8), Call(Op.FREEZE), malloc(1, 8)))
    assert recorder.order == [0, 1]


def test_no_events_are_no_slices(recorder: Recorder) -> None:
    recorder.steps.step(no_events())
    assert (recorder.order, recorder.threads) == ([], {})


@pytest.mark.parametrize("thread", [0, 1])
def test_error_on_a_thread_is_raised_in_the_caller(thread: int) -> None:
    def fail(events: Any) -> None:
        raise RuntimeError(f"object {events[0].object}")

    steps = LockStep(fail, lambda _: None)
    for number in (5, 6):
        with pytest.raises(RuntimeError, match=f"object {number}"):
            steps.step(stream(malloc(number, 8, thread)))
    steps.close()


def test_slices_are_as_long_as_possible() -> None:
    lengths: list[int] = []
    steps = LockStep(lambda part: lengths.append(len(part)), lambda _: None)
    threads = [1, 1, 1, 0, 0, 2, 1]
    steps.step(stream(*[malloc(n, 8, thread) for n, thread in enumerate(threads)]))
    steps.close()
    assert lengths == [3, 2, 1, 1]
