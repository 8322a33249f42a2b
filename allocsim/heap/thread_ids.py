"""Numbers of the threads that call a heap, with a callback for the end of each thread."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable


class ThreadIds:
    """Numbers threads from 0 in the order in which they are added; a number is never reused."""

    def __init__(self) -> None:
        self.count = 0
        """Threads added so far."""
        self._local = threading.local()

    def current(self) -> int | None:
        """Return the number of the calling thread, or None if it has none."""
        number: int | None = getattr(self._local, "number", None)
        return number

    def add(self, on_end: Callable[[int], None]) -> int:
        """Number the calling thread, and return the number. `on_end` runs when the thread ends.

        `on_end` is a bound method. The object that it is bound to, such as a heap, is referenced
        weakly, so the thread does not keep it alive.
        """
        number = self.count
        token = _Token()
        end = weakref.finalize(token, _call, weakref.WeakMethod(on_end), number)
        end.atexit = False  # no callback when the process ends, because its heaps end too
        self._local.number, self._local.token, self._local.end = number, token, end
        self.count += 1
        return number

    def remove(self) -> int | None:
        """Remove the calling thread's number and its callback; return the number, or None."""
        number = self.current()
        if number is not None:
            self._local.end.detach()
            del self._local.number, self._local.token, self._local.end
        return number


class _Token:
    """An object that only a thread's locals reference, so it is finalised when the thread ends."""


def _call(method: weakref.WeakMethod[Callable[[int], None]], number: int) -> None:
    """Call a method with `number`, unless its object no longer exists."""
    alive = method()
    if alive is not None:
        alive(number)
