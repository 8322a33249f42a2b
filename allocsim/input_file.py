"""Checks of a file that the user names as input, before it is opened."""

from __future__ import annotations

import os
from pathlib import Path

from allocsim.errors import InputError


def names_file(path: str | Path) -> bool:
    """Return whether a file of this name exists; False for a name that no file can have."""
    return os.path.exists(path)  # noqa: PTH110 - pathlib raises an error for too long a name


def is_file(path: str | Path) -> bool:
    """Return whether a path names a regular file; False for a name that no file can have."""
    return os.path.isfile(path)  # noqa: PTH113 - as above


def require_regular(path: Path) -> None:
    """Raise InputError for a pipe, a device or a directory: the file is read more than once."""
    if names_file(path) and not is_file(path):
        raise InputError(f"'{path}' is not a regular file")
