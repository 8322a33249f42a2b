"""Standard input for a program that runs several times: every run reads the same bytes."""

from __future__ import annotations

import os
import stat

STANDARD_INPUT = 0
"""Descriptor of standard input."""


def input_position() -> int | None:
    """Return the position in standard input, or None if it is not a file that can be read again."""
    mode = input_mode()
    if mode is None or not stat.S_ISREG(mode):
        return None
    return os.lseek(STANDARD_INPUT, 0, os.SEEK_CUR)


def input_mode() -> int | None:
    """Return the file mode of standard input, or None if it is closed."""
    try:
        return os.fstat(STANDARD_INPUT).st_mode
    except OSError:
        return None


def rewind_input(position: int) -> None:
    """Go back to a position in standard input."""
    os.lseek(STANDARD_INPUT, position, os.SEEK_SET)
