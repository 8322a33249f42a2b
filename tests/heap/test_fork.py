"""Heap: a process that forks while another thread is inside a heap."""

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from numba.core.compiler_lock import global_compiler_lock

from allocsim import Heap
from allocsim.errors import InputError
from tests.cli.running import PATIENCE

FORKS = 20


def exit_status_of(work: Callable[[], bool]) -> int:
    """Run `work` in a forked child; return 0 if it returned True, -1 if it hangs."""
    with warnings.catch_warnings():
        # Python 3.12 warns of a fork of a process with threads.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if work() else 2
        finally:
            os._exit(status)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return -1


@contextmanager
def hammered(heap: Heap) -> Iterator[None]:
    """Let another thread allocate and free without a pause."""
    stop = threading.Event()

    def hammer() -> None:
        while not stop.is_set():
            heap.free(heap.malloc(100_000))
            heap.free(heap.malloc(24))

    thread = threading.Thread(target=hammer)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_child_can_use_a_heap_that_another_thread_was_using(any_heap: Heap) -> None:
    address = any_heap.malloc(5)
    any_heap.view(address)[:] = b"hello"

    def work() -> bool:
        any_heap.free(any_heap.malloc(24))
        any_heap.free(any_heap.malloc(100_000))
        return bytes(any_heap.view(address)) == b"hello" and any_heap.check() == []

    assert work()
    with hammered(any_heap):
        assert [exit_status_of(work) for _ in range(FORKS)] == [0] * FORKS
    any_heap.free(address)
    assert (any_heap.live, any_heap.check()) == (0, [])


def test_fork_inside_a_heap_releases_the_lock_on_both_sides(heap: Heap) -> None:
    def used_by_another_thread() -> bool:
        thread = threading.Thread(target=lambda: heap.malloc(8), daemon=True)
        thread.start()
        thread.join(PATIENCE)
        return not thread.is_alive()

    assert exit_status_of(used_by_another_thread) == 0
    assert used_by_another_thread()


def test_child_can_compile_although_another_thread_was_compiling(heap: Heap) -> None:
    began, end = threading.Event(), threading.Event()

    def compiling() -> None:
        with global_compiler_lock:
            began.set()
            end.wait(PATIENCE)

    def work() -> bool:
        with global_compiler_lock:
            return bool(heap.malloc(8))

    thread = threading.Thread(target=compiling)
    thread.start()
    began.wait(PATIENCE)
    threading.Timer(0.05, end.set).start()
    assert exit_status_of(work) == 0
    thread.join()


def test_child_changes_its_own_copy(heap: Heap) -> None:
    address = heap.malloc(3)
    heap.view(address)[:] = b"abc"

    def work() -> bool:
        heap.view(address)[:] = b"xyz"
        heap.close()
        return True

    assert exit_status_of(work) == 0
    assert bytes(heap.view(address)) == b"abc"


def test_fork_inside_a_call_is_an_error_on_both_sides(heap: Heap) -> None:
    """Only a signal handler or a finaliser can fork inside a call."""

    def refused() -> bool:
        with pytest.raises(InputError, match="interrupted its own call to this heap"):
            heap.malloc(8)
        return True

    with heap._lock:
        assert exit_status_of(refused) == 0
        assert refused()
    assert heap.malloc(8)
