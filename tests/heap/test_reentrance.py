"""Heap: signal handlers, finalisers and exceptions that come in the middle of a call."""

import gc
import linecache
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from allocsim import Heap
from allocsim.core.jit import PURE
from allocsim.errors import AllocsimError, InputError
from tests.conftest import SCALE

HEAP = "/allocsim/heap/"

STEP = 13 if PURE else 1
"""The tests interrupt the code of Heap at every STEP-th line that is executed."""

Arm = Callable[[int, Callable[[], None]], Callable[[], bool]]


@pytest.fixture
def in_heap() -> Iterator[Arm]:
    """Yield arm(number, act), which makes the `number`-th executed line of Heap's code run `act`.

    arm returns a function that returns whether that line was reached. After the test, the trace
    function is that of coverage again; otherwise the measurement would end.
    """
    before = sys.gettrace()

    def arm(number: int, act: Callable[[], None]) -> Callable[[], bool]:
        left = [number]

        def trace(frame: FrameType, event: str, _: object) -> Any:
            file = frame.f_code.co_filename
            if HEAP not in file:
                return None
            # At the end of a `with` block, Python reports the line of the `with` once more, and
            # then calls __exit__. `act` must not run at this report, because Python handles signals
            # only at calls and at backward jumps, so not between the report and __exit__.
            if event == "line" and " with " not in linecache.getline(file, frame.f_lineno):
                left[0] -= 1
                if left[0] == 0:
                    sys.settrace(before)
                    act()
            return trace

        sys.settrace(trace)
        return lambda: left[0] <= 0

    yield arm
    sys.settrace(before)


def calls(heap: Heap) -> None:
    """Call every method that allocates or frees."""
    small, large = heap.malloc(24), heap.calloc(3, 14_000)
    grown = heap.realloc(small, 3000)
    kept = heap.realloc(heap.memalign(64, 100), 90)
    stack = heap.allocate_stack(8192)
    for address in (grown, large, kept):
        heap.free(address)
    heap.free_stack(stack)


def assert_consistent(heap: Heap) -> None:
    """Require that the invariants hold. `profile` raises Corruption if the parts do not add up."""
    assert heap.check() == []
    assert 0 <= heap.live <= heap.profile().heap


class Stop(BaseException):
    """Raised in the middle of a call, as Ctrl-C raises KeyboardInterrupt."""


@pytest.mark.parametrize("design", ["go2008", "tcmalloc"])
def test_exception_at_any_line_leaves_a_heap_that_works(design: str, in_heap: Arm) -> None:
    def stop() -> None:
        raise Stop

    before = sys.gettrace()
    with Heap(design, reserve=1 << 26) as heap:
        calls(heap)
        number, came = 0, True
        while came:
            number += STEP
            reached = in_heap(number, stop)
            try:
                calls(heap)
            except Stop:
                pass
            finally:
                sys.settrace(before)
            came = reached()
            assert_consistent(heap)
        assert number > 50
        calls(heap)


@pytest.mark.parametrize("design", ["go2008", "tcmalloc"])
def test_call_from_inside_a_call_is_an_error_or_works(design: str, in_heap: Arm) -> None:
    """The inner call is made at each line in turn, as by a signal handler or a finaliser."""
    ended: list[str] = []
    before = sys.gettrace()

    def use() -> None:
        try:
            calls(heap)
            ended.append("it works")
        except InputError as error:
            ended.append(str(error).partition(";")[0])

    with Heap(design, reserve=1 << 26) as heap:
        calls(heap)
        number, came = 0, True
        while came:
            number += STEP
            reached = in_heap(number, use)
            calls(heap)
            sys.settrace(before)
            came = reached()
            assert heap.live == 0
            assert_consistent(heap)
        assert {*ended} == {"it works", "this thread has interrupted its own call to this heap"}


def test_signal_handler_may_use_a_heap_outside_its_calls(heap: Heap) -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: heap.free(heap.malloc(24)))
    try:
        for _ in range(10 * SCALE):
            address = heap.malloc(24)
            signal.raise_signal(signal.SIGUSR1)
            heap.free(address)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert (heap.live, heap.check()) == (0, [])


def test_thread_that_the_collector_ends_inside_a_call_is_noted_later(tcmalloc_heap: Heap) -> None:
    tcmalloc_heap.free(tcmalloc_heap.malloc(24))
    with tcmalloc_heap._lock:
        tcmalloc_heap._end_thread(0)
        gc.collect()
        assert tcmalloc_heap.state.static[0].thread_heap_count == 1
    tcmalloc_heap._end_threads()
    assert tcmalloc_heap.state.static[0].thread_heap_count == 0


def test_failed_call_leaves_the_object(small_heap: Heap) -> None:
    address = small_heap.malloc(100)
    with pytest.raises(AllocsimError):
        small_heap.realloc(address, 1 << 40)
    assert small_heap.live == 100
    small_heap.free(address)
    assert (small_heap.live, small_heap.check()) == (0, [])
