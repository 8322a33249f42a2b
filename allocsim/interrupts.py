"""Ctrl-C: how the process ends when the user stops it, at whatever moment that is.

At the bottom, beside `errors`; `__main__` calls `heed_interrupts` before anything heavy is loaded.
A KeyboardInterrupt would be raised wherever Python is just then: inside an import, inside a
callback of the compiler, which swallows it, inside a finaliser, which swallows it too. So nothing
is raised. The handler undoes what is half done, prints one line and ends the process. Its one
rule: what must not be left behind is made inside `undone`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

STORIES = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
    signal.SIGHUP: "the terminal is gone",
}
"""The signals that end a run in order, and what is said of each."""

_undo: list[Callable[[], None]] = []
"""What to do before the process ends, the last first."""

_how_far: list[Callable[[], str]] = []
"""What to add to the story: how far the run came."""


def heed_interrupts() -> None:
    """From now on every signal of STORIES that is not ignored ends the process in order."""
    for number in STORIES:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup and a shell's `&` leave it
            signal.signal(number, _end)


def ignore_interrupts() -> None:
    """From now on they change nothing: the run is done and its results are out."""
    for number in STORIES:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def undone(undo: Callable[[], None]) -> Iterator[None]:
    """If the process is interrupted while the block runs, `undo` is called before it ends."""
    _undo.append(undo)
    try:
        yield
    finally:
        _undo.remove(undo)


@contextmanager
def telling(how_far: Callable[[], str]) -> Iterator[None]:
    """If the process is interrupted while the block runs, `how_far` is told to the user."""
    _how_far.append(how_far)
    try:
        yield
    finally:
        _how_far.remove(how_far)


@contextmanager
def deferred() -> Iterator[list[int]]:
    """The numbers of the signals of STORIES that came while the block runs; none acts."""
    came: list[int] = []
    before = {number: signal.getsignal(number) for number in STORIES}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: came.append(number))
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _: object) -> None:
    """End the process now; what buffers hold is lost, as nobody waits for half a result."""
    for undo in reversed(_undo):
        with suppress(Exception):  # the others must be undone all the same
            undo()
    with suppress(Exception):
        story = " ".join([STORIES[signal.Signals(number)], *(tell() for tell in _how_far)])
        os.write(2, f"allocsim: error: {story}\n".encode())
    os._exit(128 + number)
