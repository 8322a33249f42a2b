"""Entry point of `allocsim` and `python -m allocsim`.

Ctrl-C may come while Python is still loading, and Python's own handler would then print a traceback
in the middle of an import. Therefore this module imports only what Python has loaded already, and
`main` first changes what SIGINT does, then imports the rest. A Ctrl-C that comes earlier, while
the interpreter itself starts (10 to 20 ms), is handled by Python. scripts/allocsim prevents this by
blocking SIGINT; a blocked signal takes effect when `main` unblocks SIGINT.

File descriptors 0 to 2 are opened if the caller closed them. Otherwise the next file to be opened
would get one of these numbers, and everything written to standard output or standard error could
end up in that file.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # built in, unlike `signal`: no file is read
import os
import sys


def main() -> None:
    """Run the command line and end the process with its exit status."""
    end_quietly_on_interrupt()
    from allocsim.signals import handle_signals, ignore_signals

    handle_signals()
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, {_signal.SIGINT})
    open_standard_files()
    from allocsim.cli import main as command_line

    try:
        command_line()
    finally:
        ignore_signals()


def end_quietly_on_interrupt() -> None:
    """If Python handles SIGINT, restore the signal's default action, which ends the process.

    If Python has already received a SIGINT but not yet acted on it, the process ends with status
    130.
    """
    try:
        if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
            _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    except KeyboardInterrupt:
        os._exit(130)


def open_standard_files() -> None:
    """Open /dev/null on each of the file descriptors 0 to 2 that is closed.

    Standard output is opened read-only, so that writing a result to it is an error. Messages to a
    standard error that was closed are discarded.
    """
    for number, flags in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # gets the lowest free number, which is `number`
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115


def leave_current_directory_out() -> None:
    """Remove the first entry of sys.path, which is the current directory if `python -m` was used.

    Otherwise a click.py in the current directory, perhaps downloaded with a trace, would be
    imported. If sys.path then lacks the directory that contains this package, that directory is
    appended.
    """
    if not sys.flags.safe_path:
        del sys.path[0]
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    if root not in sys.path:
        sys.path.append(root)


if __name__ == "__main__":
    leave_current_directory_out()
    main()
