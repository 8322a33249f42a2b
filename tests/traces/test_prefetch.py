"""Prefetching keeps batches in order, raises a reader's error after them, and leaves no thread."""

import threading
from collections.abc import Iterator

import pytest

from allocsim.traces.prefetch import AHEAD, read_ahead
from tests.cli.running import PATIENCE


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Require that a test leaves no thread running."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) == before


def failing(count: int, error: BaseException) -> Iterator[int]:
    """Numbers, then an error."""
    yield from range(count)
    raise error


@pytest.mark.parametrize("count", [0, 1, AHEAD, AHEAD + 1, 500])
def test_batches_are_in_order(count: int) -> None:
    assert list(read_ahead(iter(range(count)))) == list(range(count))


@pytest.mark.parametrize("count", [0, 1, AHEAD, AHEAD + 5])
def test_error_is_raised_in_place_of_its_batch(count: int) -> None:
    taken: list[int] = []
    with pytest.raises(OSError, match="the disk is gone"):
        taken.extend(read_ahead(failing(count, OSError("the disk is gone"))))
    assert taken == list(range(count))


@pytest.mark.parametrize("taken", [1, 2, 10])
def test_early_stop_ends_the_thread(taken: int) -> None:
    batches = read_ahead(iter(range(10**9)))
    assert [next(batches) for _ in range(taken)] == list(range(taken))
    batches.close()  # type: ignore[attr-defined]


def test_error_of_the_consumer_ends_the_thread() -> None:
    def consume() -> None:
        for batch in read_ahead(iter(range(10**9))):
            if batch == 5:
                raise KeyError(batch)

    with pytest.raises(KeyError):
        consume()


def test_no_more_is_read_ahead_than_may_wait() -> None:
    made, enough = [], threading.Event()

    def counting() -> Iterator[int]:
        for number in range(10**9):
            made.append(number)
            if number == AHEAD + 1:
                enough.set()
            yield number

    batches = read_ahead(counting())
    assert next(batches) == 0
    assert enough.wait(PATIENCE)
    assert not threading.Event().wait(0.05)
    assert len(made) == AHEAD + 2  # one in the consumer, AHEAD in the queue, one in the thread
    batches.close()  # type: ignore[attr-defined]


def test_stream_that_is_never_begun_starts_no_thread() -> None:
    def never() -> Iterator[int]:
        raise AssertionError("read without being asked")
        yield 0  # type: ignore[unreachable]

    read_ahead(never()).close()  # type: ignore[attr-defined]


def test_reader_is_closed_when_the_consumer_stops() -> None:
    closed = threading.Event()

    def closing() -> Iterator[int]:
        try:
            yield from range(10**9)
        finally:
            closed.set()

    batches = read_ahead(closing())
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert closed.wait(PATIENCE)
