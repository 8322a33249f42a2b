"""A real library played in lock step: each recorded thread on a thread of its own, one at a time.

Above `library`; below the proof that compares a design with it. Events keep the order of the
trace, and each is called from the thread that it was recorded on, so that the library sees the
threads come and go as the program's did. Its one rule: between two events nobody else calls the
library.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from allocsim.events import Op

Call = Callable[[], None]


class LockStep:
    """Plays slices of events on the threads that they name."""

    def __init__(self, play: Callable[[Any], None], release: Callable[[int], None]) -> None:
        """`play` plays events on the calling thread; `release` gives so many bytes back."""
        self._play, self._release = play, release
        self._workers: dict[int, _Worker] = {}

    def step(self, events: Any) -> None:
        """Play `events` in their order. Thread 0 is the calling thread, which does not end."""
        for part in _slices(events):
            note, thread = int(part[0].op), int(part[0].thread)
            if note == Op.RELEASE:
                self._release(int(part[0].request))
            elif note == Op.THREAD_DONE and thread in self._workers:
                self._workers.pop(thread).end()
            elif note <= Op.FREE:
                self._on(thread, partial(self._play, part))

    def close(self) -> None:
        """End every thread."""
        while self._workers:
            self._workers.popitem()[1].end()

    def _on(self, thread: int, call: Call) -> None:
        """Do `call` on the thread of that number, which begins now if need be."""
        if thread == 0:
            call()
            return
        if thread not in self._workers:
            self._workers[thread] = _Worker()
        self._workers[thread].do(call)


class _Worker:
    """A thread of the operating system that does one call after the other."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def do(self, call: Call) -> None:
        """Do a call there and wait for it."""
        self._calls.put(call)
        error = self._answers.get()
        if error is not None:
            raise error

    def end(self) -> None:
        """End the thread, and wait until the kernel knows of it no more.

        Python's join comes back before the C library has run what it runs at a thread's end, and
        that is where a malloc library takes its cache.
        """
        number = self._thread.native_id
        self._calls.put(None)
        self._thread.join()
        while os.path.exists(f"/proc/self/task/{number}"):  # noqa: PTH110 - a kernel's file
            time.sleep(0.0001)

    def _work(self) -> None:
        """Do calls until there is none."""
        for call in iter(self._calls.get, None):
            try:
                call()
                self._answers.put(None)
            except BaseException as error:
                self._answers.put(error)


def _slices(events: Any) -> list[Any]:
    """`events` cut where the thread changes, and around every note."""
    if not len(events):
        return []
    notes = events.op > Op.FREE
    changes = (np.diff(events.thread.astype(int)) != 0) | notes[1:] | notes[:-1]
    return [part.view(np.recarray) for part in np.split(events, np.flatnonzero(changes) + 1)]
