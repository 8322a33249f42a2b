"""Reading ahead: the next batches are made on a second thread while this one works.

Between a reader and `identity`: unpacking and scanning release Python's lock, so they run beside
the replay on another core. Its one rule: an error of the reader is raised where its batch would
have come, and a consumer that stops early leaves no thread behind.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Full, Queue
from typing import Any

AHEAD = 3
"""Batches that may wait; a reader needs two arrays more than that, which it uses in turn."""


def read_ahead(batches: Iterator[Any]) -> Iterator[Any]:
    """The same batches in the same order."""
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
    """Put every batch into the queue, then None, or the error that ended them."""
    try:
        for batch in batches:
            if not _put(waiting, (batch, None), stopped):
                return
        _put(waiting, (None, None), stopped)
    except BaseException as error:
        _put(waiting, (None, error), stopped)


def _put(waiting: Queue[Any], item: Any, stopped: threading.Event) -> bool:
    """Wait for a place in the queue; False when the consumer has stopped."""
    while not stopped.is_set():
        try:
            waiting.put(item, timeout=0.1)
            return True
        except Full:
            continue
    return False
