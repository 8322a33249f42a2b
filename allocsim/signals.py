"""Signals: how the process ends on Ctrl-C, SIGTERM and SIGHUP.

On Ctrl-C, Python would raise KeyboardInterrupt in whatever code is running: in an import, a
compiler callback or a finaliser. Callbacks and finalisers swallow the exception, and the process
goes on. The handler of this module therefore raises nothing. It runs the cleanups registered with
`on_interrupt`, prints one line and ends the process.
"""

from __future__ import annotations

# The modules signal and contextlib are not imported: each takes 2 ms. During this time, Ctrl-C
# would end the process without a message, because the handler of this module is not yet installed.
import _signal as signal  # type: ignore[import-not-found]
import os
from _thread import RLock

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
"""Functions to call before the process ends, the last one first."""

_progress: list[Callable[[], str]] = []
"""Functions that describe how far the run got. Their results are appended to the message."""

_deferring = RLock()
"""Held by the thread that is in a block of SignalsDeferred. The signal handler takes it too, and
keeps it until the process has ended, so that no thread enters such a block any more."""

# If another thread holds the lock during a fork, the child lacks this thread, and would never
# release the lock.
os.register_at_fork(after_in_child=_deferring._at_fork_reinit)  # type: ignore[attr-defined]


def handle_signals() -> None:
    """Make each signal of MESSAGES end the process by `_end`, unless the signal is ignored."""
    _install(_end)


def ignore_signals() -> None:
    """Ignore the signals of MESSAGES, because the run is done and its results are written."""
    for number in MESSAGES:
        signal.signal(number, signal.SIG_IGN)


def on_interrupt(cleanup: Callable[[], None]) -> _Registered:
    """Return a context manager. If a signal ends the process in its block, `cleanup` runs first."""
    return _Registered(_cleanups, cleanup)


def interrupt_message(progress: Callable[[], str]) -> _Registered:
    """Return a context manager that adds `progress()` to the message if a signal ends the process.

    In a thread other than the main thread, nothing is added, because several such threads may be
    running.
    """
    import threading  # imported here, because --help does not need it

    is_main = threading.current_thread() is threading.main_thread()
    return _Registered(_progress if is_main else [], progress)


def signal_name(number: int) -> str:
    """Return the name of a signal, or its number if it has no name, like most real-time signals."""
    from signal import Signals  # imported here, because it takes 2 ms

    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"


class SignalsRedirected:
    """Context manager: in its block, signals of MESSAGES call `act` and do not end the process.

    In a thread other than the main thread it has no effect, because signals interrupt only the main
    thread.
    """

    def __init__(self, act: Callable[[int], None]) -> None:
        self.act = act

    def __enter__(self) -> None:
        self.before = {number: signal.getsignal(number) for number in _handled()}
        try:
            _install(lambda number, _: self.act(number))
        except ValueError:  # signal.signal works in the main thread only
            self.before = {}

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


class SignalsDeferred(SignalsRedirected):
    """Context manager: signals of MESSAGES that arrive in its block take effect at its end.

    Use it for a step that must not be left half done, such as starting a child process and
    registering the cleanup that kills it. Only one thread at a time can be in such a block. If a
    thread other than the main thread is in a block, a signal ends the process only after the block.
    """

    def __init__(self) -> None:
        self.came: list[int] = []
        super().__init__(self.came.append)

    def __enter__(self) -> None:
        # Redirect the signals first, so that `_end`, which takes the lock too, does not interrupt
        # acquire().
        super().__enter__()
        _deferring.acquire()

    def __exit__(self, *_: object) -> None:
        _deferring.release()
        super().__exit__()
        for number in self.came:
            signal.raise_signal(number)


class InterruptConfirmed(SignalsRedirected):
    """Context manager for work that must not be lost by accident.

    The first signal in its block only prints a warning; the second has its usual effect.
    """

    def __init__(self, warning: str) -> None:
        super().__init__(self._warn)
        self.warning = warning
        self.warned = False

    def _warn(self, number: int) -> None:
        """At the first signal, print the warning.

        At a later signal, run the previous handler, which usually ends the process. If that handler
        returns, print the warning again.
        """
        if self.warned and callable(before := self.before[number]):
            before(number, None)
        elif self.warned:  # `before` is SIG_DFL, as it may be in a program that imports allocsim
            signal.signal(number, before)
            signal.raise_signal(number)
        self.warned = True
        os.write(2, f"\nallocsim: {self.warning}\n".encode())


class _Registered:
    """Context manager: during its block, `item` is in the list `items`."""

    def __init__(self, items: list[Any], item: Any) -> None:
        self.items, self.item = items, item

    def __enter__(self) -> None:
        self.items.append(self.item)

    def __exit__(self, *_: object) -> None:
        self.items.remove(self.item)


def _install(handler: Callable[[int, Any], None]) -> None:
    """Install `handler` for the signals that `_handled` returns."""
    for number in _handled():
        signal.signal(number, handler)


def _handled() -> list[int]:
    """Return the signals of MESSAGES, except those that are ignored or that C code handles.

    nohup and a shell's `&` make a program ignore signals. A handler that C code has installed could
    not be restored, because getsignal returns None for it.
    """
    return [n for n in MESSAGES if signal.getsignal(n) not in (signal.SIG_IGN, None)]


def _end(number: int, _: object) -> None:
    """End the process now. Buffered output is discarded, because half a result is of no use."""
    with _deferring:
        for cleanup in reversed(_cleanups):
            try:
                cleanup()
            except Exception:  # the other cleanups must still run
                continue
        try:
            message = " ".join([MESSAGES[number], *(progress() for progress in _progress)])
            os.write(2, f"allocsim: error: {message}\n".encode())
        finally:
            os._exit(128 + number)  # not sys.exit, which raises an exception and runs finalisers
