"""Where the process begins: `allocsim` and `python -m allocsim`.

Above everything, and all but empty: interrupts are heeded before the command line is imported,
since the user may press Ctrl-C while Python is still loading it; and files 0 to 2 are open before
any other is opened, since it would take the number of one that the caller has closed, and get
what is written to that.
"""

from __future__ import annotations

import os
import sys

from allocsim.signals import heed_interrupts, ignore_interrupts


def main() -> None:
    """Run the command line and end the process with its exit status."""
    heed_interrupts()
    open_standard_files()
    from allocsim.cli import main as command_line

    try:
        command_line()
    finally:
        ignore_interrupts()


def open_standard_files() -> None:
    """Open those of files 0 to 2 that are closed: errors vanish, but results must not.

    Standard output is opened for reading, so that whoever writes there is told.
    """
    for number, flags in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # the lowest number that is free, so this one
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


if __name__ == "__main__":
    main()
