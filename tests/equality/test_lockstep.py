"""Lock step: the order of the events is kept, and each thread of theirs is a thread of the OS."""

import os
import threading
from typing import Any

import pytest

from allocsim.events import Op, no_events
from tests.driving import Call, free, malloc, stream
from tests.equality.lockstep import LockStep

RELEASE = Call(Op.RELEASE, request=12345)


def done(thread: int) -> Call:
    """The note that a thread has ended."""
    return Call(Op.THREAD_DONE, thread=thread)


class Played:
    """What was played: objects in order, and for each thread of the events the threads it had."""

    def __init__(self) -> None:
        self.order: list[int | str] = []
        self.threads: dict[int, set[int]] = {}
        self.steps = LockStep(self.play, self.release)

    def play(self, events: Any) -> None:
        """Keep what comes, and on which thread."""
        for event in events:
            self.order.append(int(event.object))
            self.threads.setdefault(int(event.thread), set()).add(threading.get_native_id())

    def release(self, length: int) -> None:
        """Keep the note."""
        self.order.append(f"release {length}")


@pytest.fixture
def played() -> Played:
    """Nothing yet."""
    return Played()


def is_there(thread: int) -> bool:
    """Whether the kernel knows a thread of this process."""
    return os.path.exists(f"/proc/self/task/{thread}")  # noqa: PTH110 - a kernel's file


def test_events_keep_their_order_whatever_their_threads(played: Played) -> None:
    threads = [0, 1, 1, 2, 0, 2, 1, 0, 0, 2]
    played.steps.step(stream(*[malloc(n, 8, thread) for n, thread in enumerate(threads)]))
    played.steps.close()
    assert played.order == list(range(10))


def test_each_thread_has_a_thread_of_its_own_and_keeps_it(played: Played) -> None:
    for _ in range(2):
        played.steps.step(stream(*[malloc(thread, 8, thread) for thread in (2, 0, 1, 2)]))
    found = {thread: ids.pop() for thread, ids in played.threads.items() if len(ids) == 1}
    assert sorted(found) == [0, 1, 2]
    assert len(set(found.values())) == 3
    assert found[0] == threading.get_native_id()
    assert all(is_there(thread) for thread in found.values())
    played.steps.close()


def test_ended_thread_is_gone_and_its_number_may_come_again(played: Played) -> None:
    played.steps.step(stream(malloc(0, 8, 1), malloc(1, 8, 2)))
    (first,), (other,) = played.threads[1], played.threads[2]
    played.steps.step(stream(done(1)))
    assert (is_there(first), is_there(other)) == (False, True)
    played.steps.step(stream(free(0, 1)))
    assert played.order == [0, 1, 0]
    played.steps.close()
    assert not is_there(other)


def test_end_of_a_thread_that_never_began_and_of_the_calling_one_is_nothing(
    played: Played,
) -> None:
    played.steps.step(stream(done(0), done(7), malloc(1, 8)))
    assert played.order == [1]


def test_notes_stand_between_the_events_that_they_stand_between(played: Played) -> None:
    calls = [malloc(0, 8), malloc(1, 8), RELEASE, RELEASE, malloc(2, 8, 1), done(1), malloc(3, 8)]
    played.steps.step(stream(*calls))
    played.steps.close()
    assert played.order == [0, 1, "release 12345", "release 12345", 2, 3]


def test_freeze_is_not_for_a_library(played: Played) -> None:
    played.steps.step(stream(malloc(0, 8), Call(Op.FREEZE), malloc(1, 8)))
    assert played.order == [0, 1]


def test_no_events_are_no_slices(played: Played) -> None:
    played.steps.step(no_events())
    assert (played.order, played.threads) == ([], {})


@pytest.mark.parametrize("thread", [0, 1])
def test_error_on_a_thread_is_the_callers(thread: int) -> None:
    def fail(events: Any) -> None:
        raise RuntimeError(f"object {events[0].object}")

    steps = LockStep(fail, lambda _: None)
    for number in (5, 6):
        with pytest.raises(RuntimeError, match=f"object {number}"):
            steps.step(stream(malloc(number, 8, thread)))
    steps.close()


def test_slices_are_as_long_as_they_can_be() -> None:
    lengths: list[int] = []
    steps = LockStep(lambda part: lengths.append(len(part)), lambda _: None)
    threads = [1, 1, 1, 0, 0, 2, 1]
    steps.step(stream(*[malloc(n, 8, thread) for n, thread in enumerate(threads)]))
    steps.close()
    assert lengths == [3, 2, 1, 1]
