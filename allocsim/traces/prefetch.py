"""Prefetching: a second thread runs the reader, which produces batches of calls.

Decompression and scanning release Python's global interpreter lock, so they run on another core
while the consumer replays earlier batches. If the reader fails, the consumer gets the error in
place of the next batch. If the consumer stops early, the thread ends too.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import cycle
from queue import Full, Queue
from typing import Any

from allocsim.traces.calls import BATCH, no_calls

AHEAD = 3
"""Maximum number of batches that wait in the queue between the two threads."""


def call_arrays(count: int = BATCH) -> Iterator[Any]:
    """Yield arrays of `count` calls for a reader to fill, reused in turn.

    There are AHEAD + 2 arrays: up to AHEAD wait in the queue, the consumer reads one, and the
    reader fills one. The reader must yield each array before it takes the next one. Otherwise it
    would fill the array that the consumer is reading.
    """
    return cycle([no_calls(count) for _ in range(AHEAD + 2)])


def read_ahead(batches: Iterator[Any]) -> Iterator[Any]:
    """Yield the same batches in the same order, produced by a second thread."""
    waiting: Queue[tuple[Any, BaseException | None]] = Queue(AHEAD)
    stopped = threading.Event()
    reader = threading.Thread(target=_fill, args=(batches, waiting, stopped), daemon=True)
    reader.start()
    try:
        while True:
            batch, error = waiting.get()
            if error is not None:
                raise error
            if batch is None:
                return
            yield batch
    finally:
        stopped.set()
        reader.join()


def _fill(batches: Iterator[Any], waiting: Queue[Any], stopped: threading.Event) -> None:
    """Put every batch into the queue, and at the end None or the error that the reader raised."""
    try:
        for batch in batches:
            if not _put(waiting, (batch, None), stopped):
                return
        _put(waiting, (None, None), stopped)
    except BaseException as error:
        _put(waiting, (None, error), stopped)


def _put(waiting: Queue[Any], item: Any, stopped: threading.Event) -> bool:
    """Put `item` into the queue as soon as it has room; return False if the consumer has stopped.

    Each wait ends after 0.1 s, because a consumer that has stopped does not empty the queue.
    """
    while not stopped.is_set():
        try:
            waiting.put(item, timeout=0.1)
            return True
        except Full:
            continue
    return False
