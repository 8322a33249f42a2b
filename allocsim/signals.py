"""Signals: how the process ends on Ctrl-C, SIGTERM and SIGHUP.

A KeyboardInterrupt would be raised wherever Python happens to be: inside an import, a compiler
callback or a finaliser, and the last two swallow it. So nothing is raised. The handler runs the
cleanups registered with `on_interrupt`, prints one line and ends the process.
"""

from __future__ import annotations

# `_signal`, because importing `signal` takes 2 ms, and contextlib as long: until the handler is
# installed, Ctrl-C prints a traceback.
import _signal as signal  # type: ignore[import-not-found]
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MESSAGES: dict[int, str] = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "terminated",
    signal.SIGHUP: "the terminal was closed",
}
"""The signals that are handled, and the message for each."""

_cleanups: list[Callable[[], None]] = []
"""Called before the process ends, the last one first."""

_progress: list[Callable[[], str]] = []
"""Called for the parts of the message that say how far the run got."""


def handle_signals() -> None:
    """Make each signal of MESSAGES end the process by `_end`, unless it is ignored."""
    _install(_end)


def ignore_signals() -> None:
    """Ignore the signals of MESSAGES: the run is done and its results are written."""
    for number in MESSAGES:
        signal.signal(number, signal.SIG_IGN)


def on_interrupt(cleanup: Callable[[], None]) -> _Registered:
    """Return a block; if a signal ends the process inside it, `cleanup` is called first."""
    return _Registered(_cleanups, cleanup)


def interrupt_message(progress: Callable[[], str]) -> _Registered:
    """Return a block; if a signal ends the process inside it, its message includes `progress()`."""
    return _Registered(_progress, progress)


class SignalsRedirected:
    """A block in which a signal of MESSAGES calls `act` instead of ending the process."""

    def __init__(self, act: Callable[[int], None]) -> None:
        self.act = act

    def __enter__(self) -> None:
        self.before = {number: signal.getsignal(number) for number in MESSAGES}
        _install(lambda number, _: self.act(number))

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


class InterruptConfirmed(SignalsRedirected):
    """A block whose work would be lost: the first signal only warns, the second ends it."""

    def __init__(self, warning: str) -> None:
        super().__init__(self._warn)
        self.warning = warning
        self.warned = False

    def _warn(self, number: int) -> None:
        """Print the warning; if it was printed before, call the handler from before the block."""
        if self.warned:
            self.before[number](number, None)
        self.warned = True
        os.write(2, f"\nallocsim: {self.warning}\n".encode())


class _Registered:
    """A block in which `item` is in the list `items`."""

    def __init__(self, items: list[Any], item: Any) -> None:
        self.items, self.item = items, item

    def __enter__(self) -> None:
        self.items.append(self.item)

    def __exit__(self, *_: object) -> None:
        self.items.remove(self.item)


def _install(handler: Callable[[int, Any], None]) -> None:
    """Install `handler` for the signals of MESSAGES that are not ignored."""
    for number in MESSAGES:
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup and a shell's `&` leave it
            signal.signal(number, handler)


def _end(number: int, _: object) -> None:
    """End the process now. Buffered output is discarded, since half a result is of no use."""
    for cleanup in reversed(_cleanups):
        try:
            cleanup()
        except Exception:  # the other cleanups must run nevertheless
            continue
    try:
        message = " ".join([MESSAGES[number], *(progress() for progress in _progress)])
        os.write(2, f"allocsim: error: {message}\n".encode())
    finally:
        os._exit(128 + number)
