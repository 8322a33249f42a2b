"""Entry point of `allocsim` and `python -m allocsim`.

Two things happen before the command line is imported. Signal handlers are installed, because
Ctrl-C may come while Python is still loading. And file descriptors 0 to 2 are opened if the caller
closed them. Otherwise the next file to be opened would get one of these numbers, and everything
written to standard output or standard error could end up in that file.
"""

from __future__ import annotations

import os
import sys

from allocsim.signals import handle_signals, ignore_signals


def main() -> None:
    """Run the command line and end the process with its exit status."""
    handle_signals()
    open_standard_files()
    from allocsim.cli import main as command_line

    try:
        command_line()
    finally:
        ignore_signals()


def open_standard_files() -> None:
    """Open /dev/null on each of the file descriptors 0 to 2 that is closed.

    Standard output is opened read-only, so that writing a result to it fails and the failure is
    reported. Error messages are discarded.
    """
    for number, flags in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # gets the lowest free number, which is `number`
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


if __name__ == "__main__":
    main()
