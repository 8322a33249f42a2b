"""Lock-step replay on a real library: one OS thread per recorded thread, one event at a time.

Events keep the order of the trace, and each is replayed on its own thread. The library sees threads
begin and end as they did in the program. Nothing else may call the library between two events,
because that would change its counters. A note is an event that is not an allocation call, such as
the end of a thread.
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
    """Replays events, each on its own thread."""

    def __init__(
        self,
        replay: Callable[[Any], None],
        release: Callable[[int], None],
        ended: Callable[[], None] = lambda: None,
    ) -> None:
        """`replay` replays events on the calling thread; `release` releases bytes to the OS.

        `ended` is called after each note that a thread has ended.
        """
        self._replay, self._release, self._ended = replay, release, ended
        self._workers: dict[int, _Worker] = {}

    def step(self, events: Any) -> None:
        """Replay `events` in order. Thread 0 is the calling thread, which does not end."""
        for part in _slices(events):
            note, thread = int(part[0].op), int(part[0].thread)
            if note == Op.RELEASE:
                self._release(int(part[0].request))
            elif note == Op.THREAD_DONE:
                if thread in self._workers:
                    self._workers.pop(thread).end()
                self._ended()
            elif note <= Op.FREE:
                self._on(thread, partial(self._replay, part))

    def close(self) -> None:
        """End every thread."""
        while self._workers:
            self._workers.popitem()[1].end()

    def _on(self, thread: int, call: Call) -> None:
        """Run `call` on the thread with this number; start the thread if necessary."""
        if thread == 0:
            call()
            return
        if thread not in self._workers:
            self._workers[thread] = _Worker()
        self._workers[thread].do(call)


class _Worker:
    """An OS thread that runs calls one after the other."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def do(self, call: Call) -> None:
        """Run a call on the thread and wait for it; raise its exception here."""
        self._calls.put(call)
        error = self._answers.get()
        if error is not None:
            raise error

    def end(self) -> None:
        """End the thread, and wait until the kernel has removed it.

        Python's join returns before the C library has run the destructors of the thread. One of
        these destructors deletes the malloc cache of the thread.
        """
        number = self._thread.native_id
        self._calls.put(None)
        self._thread.join()
        while os.path.exists(f"/proc/self/task/{number}"):  # noqa: PTH110 - a kernel's file
            time.sleep(0.0001)

    def _work(self) -> None:
        """Run calls until None arrives."""
        for call in iter(self._calls.get, None):
            try:
                call()
                self._answers.put(None)
            except BaseException as error:
                self._answers.put(error)


def _slices(events: Any) -> list[Any]:
    """Split `events` where the thread changes, and around every note."""
    if not len(events):
        return []
    notes = events.op > Op.FREE
    changes = (np.diff(events.thread.astype(int)) != 0) | notes[1:] | notes[:-1]
    return [part.view(np.recarray) for part in np.split(events, np.flatnonzero(changes) + 1)]
