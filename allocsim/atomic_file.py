"""Files that are whole or not there: written beside their place, then renamed into it.

Above `interrupts`, below everyone who writes a file. Its one rule: what existed under the name is
lost only when its successor is complete, and nothing half-written stays, however the run ends.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ELOOP
from pathlib import Path
from typing import IO

from allocsim.errors import EnvironmentLacks
from allocsim.signals import undone


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to, which is `path` at the end of the block.

    EnvironmentLacks, and the old file as it was, if that fails. A device or a pipe cannot be
    renamed over: it is written to as it is.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as device:
                yield device
        else:
            with written_beside(path) as file:
                yield file
    except OSError as error:
        raise EnvironmentLacks(f"cannot write '{path}': {error.strerror or error}") from error


@contextmanager
def written_beside(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to; at the end of the block it is `path`, with the permissions of the old.

    A link goes on leading to its file. OSError, and the old file as it was, if that fails.
    """
    path = _target(path)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
    beside = path.with_name(f".allocsim-{secrets.token_hex(8)}")

    def remove() -> None:
        """Remove what was written."""
        beside.unlink(missing_ok=True)

    with undone(remove):
        try:
            with os.fdopen(os.open(beside, _NEW, 0o600), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            beside.chmod(mode)
            beside.replace(path)
        finally:
            remove()


def _target(path: Path) -> Path:
    """The file that a name leads to; OSError if its links go in a circle."""
    try:
        return path.resolve()
    except RuntimeError as error:  # what pathlib makes of it before Python 3.13
        raise OSError(ELOOP, os.strerror(ELOOP)) from error


_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
"""Open a file that must not exist yet."""


def _umask() -> int:
    """The process's mask for new files, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
