"""Atomic file replacement: write a temporary file in the target directory, then rename it.

If the run fails or is interrupted, the old file survives and no partial file remains.
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
from allocsim.signals import on_interrupt

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
"""Flags that open a new file and fail if it exists."""


@contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that replaces `path` at the end of the block.

    Raises EnvironmentLacks on failure, and leaves the old file unchanged. A device or a pipe cannot
    be replaced by renaming, so it is written to directly.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as device:
                yield device
        else:
            with atomic_replace(path) as file:
                yield file
    except OSError as error:
        raise EnvironmentLacks(f"cannot write '{path}': {error.strerror or error}") from error


@contextmanager
def atomic_replace(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that replaces the regular file `path` at the end of the block.

    The new file gets the permissions of the old one. If `path` is a symbolic link, the file that it
    points to is replaced and the link stays. Raises OSError on failure, and leaves the old file
    unchanged.
    """
    path = _target(path)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
    # In the same directory, because a rename cannot move a file to another file system.
    temporary = path.with_name(f".allocsim-{secrets.token_hex(8)}")

    def remove() -> None:
        """Remove the temporary file, if it still exists."""
        temporary.unlink(missing_ok=True)

    with on_interrupt(remove):
        try:
            with os.fdopen(os.open(temporary, _NEW, 0o600), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())  # before the rename: a crash must not leave an empty file
            temporary.chmod(mode)
            temporary.replace(path)
        finally:
            remove()


def _target(path: Path) -> Path:
    """Return a path without symbolic links; raise OSError if its links form a loop."""
    # Path.resolve reports a loop in some versions of Python only.
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OSError(ELOOP, os.strerror(ELOOP))
    return target


def _umask() -> int:
    """Return the process's umask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
