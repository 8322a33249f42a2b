"""A temporary directory that is removed at the end of a block, or when a signal ends the process.

A directory of Python's `tempfile` would remain after Ctrl-C, because the signal handler ends the
process without running `finally` blocks (see `signals`).
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from allocsim.signals import on_interrupt


@contextmanager
def temporary_directory() -> Iterator[Path]:
    """Create a directory below TMPDIR, readable by this user only; remove it after the block.

    Raises OSError if it cannot be created.
    """
    directory = Path(tempfile.gettempdir()) / f"allocsim-{secrets.token_hex(4)}"

    def remove() -> None:
        """Remove the directory and its contents."""
        shutil.rmtree(directory, ignore_errors=True)

    with on_interrupt(remove):
        directory.mkdir(0o700)
        try:
            yield directory
        finally:
            remove()
