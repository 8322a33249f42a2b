"""Run a function in a thread during a `with` block, for example to take samples."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def in_background(run: Callable[[threading.Event], object]) -> Iterator[None]:
    """Call `run` in a thread during the block.

    The argument of `run` is an event that is set at the end of the block. The block then waits
    until `run` has returned.
    """
    ended = threading.Event()
    thread = threading.Thread(target=run, args=(ended,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
