"""Ctrl-C: how the process ends when the user stops it, at whatever moment that is.

At the bottom, beside `errors`; `__main__` calls `heed_interrupts` before anything heavy is loaded.
A KeyboardInterrupt would be raised wherever Python is just then: inside an import, inside a
callback of the compiler, which swallows it, inside a finaliser, which swallows it too. So nothing
is raised. The handler undoes what is half done, prints one line and ends the process. Its one
rule: what must not be left behind is made inside `undone`.
"""

from __future__ import annotations

# Beneath `signal`, which takes 2 ms to import, as contextlib does: too long to be deaf.
import _signal as signal  # type: ignore[import-not-found]
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

STORIES: dict[int, str] = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
    signal.SIGHUP: "the terminal is gone",
}
"""The signals that end a run in order, and what is said of each."""


def heed_interrupts() -> None:
    """From now on every signal of STORIES that is not ignored ends the process in order."""
    _answer(_end)


def ignore_interrupts() -> None:
    """From now on they change nothing: the run is done and its results are out."""
    for number in STORIES:
        signal.signal(number, signal.SIG_IGN)


def undone(undo: Callable[[], None]) -> _Kept:
    """A block; if the process is interrupted while it runs, `undo` is called before it ends."""
    return _Kept(_undo, undo)


def telling(how_far: Callable[[], str]) -> _Kept:
    """A block; if the process is interrupted while it runs, `how_far` is told to the user."""
    return _Kept(_how_far, how_far)


class Deferred:
    """A block; while it runs, a signal of STORIES does not end the process but calls `act`."""

    def __init__(self, act: Callable[[int], None]) -> None:
        self.act = act

    def __enter__(self) -> None:
        self.before = {number: signal.getsignal(number) for number in STORIES}
        _answer(lambda number, _: self.act(number))

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


class Reluctant(Deferred):
    """A block whose work would be lost: the first signal only says so, the next one ends it."""

    def __init__(self, warning: str) -> None:
        super().__init__(self._warn)
        self.warning = warning
        self.warned = False

    def _warn(self, number: int) -> None:
        """Say what is under way; when that was said, end as before this block."""
        if self.warned:
            self.before[number](number, None)
        self.warned = True
        os.write(2, f"\nallocsim: {self.warning}\n".encode())


class _Kept:
    """A block; while it runs, `item` is in the list of its kind."""

    def __init__(self, items: list[Any], item: Any) -> None:
        self.items, self.item = items, item

    def __enter__(self) -> None:
        self.items.append(self.item)

    def __exit__(self, *_: object) -> None:
        self.items.remove(self.item)


_undo: list[Callable[[], None]] = []
"""What to do before the process ends, the last first."""

_how_far: list[Callable[[], str]] = []
"""What to add to the story: how far the run came."""


def _answer(handler: Callable[[int, Any], None]) -> None:
    """Make `handler` the answer to the signals of STORIES that are not ignored."""
    for number in STORIES:
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup and a shell's `&` leave it
            signal.signal(number, handler)


def _end(number: int, _: object) -> None:
    """End the process now; what buffers hold is lost, as nobody waits for half a result."""
    for undo in reversed(_undo):
        try:
            undo()
        except Exception:  # the others must be undone all the same
            continue
    try:
        story = " ".join([STORIES[number], *(tell() for tell in _how_far)])
        os.write(2, f"allocsim: error: {story}\n".encode())
    finally:
        os._exit(128 + number)
