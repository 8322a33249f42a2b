"""Checks of a file that the user names as input, before it is opened."""

from __future__ import annotations

from pathlib import Path

from allocsim.errors import InputError


def names_file(path: Path) -> bool:
    """Return whether a file of this name exists. A name that no file can have is no error."""
    try:
        return path.exists()
    except OSError:  # the name is too long
        return False


def require_regular(path: Path) -> None:
    """Raise InputError for a pipe, a device or a directory: the file is read more than once."""
    if names_file(path) and not path.is_file():
        raise InputError(f"'{path}' is not a regular file")
