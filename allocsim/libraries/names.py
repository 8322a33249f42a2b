"""Names of libraries: NAME, PATH or PATH:PREFIX, followed by :KEY=VALUE for each setting."""

from __future__ import annotations

import re

from allocsim.errors import InputError
from allocsim.input_file import is_file

_SETTING = re.compile(r"(\w+)=([\w.+-]+)", re.ASCII)


def is_path(name: str) -> bool:
    """Return whether a library is given by its path, not by a name of KNOWN."""
    return "/" in name or ".so" in name


def split_prefix(name: str) -> tuple[str, str | None]:
    """Split PATH:PREFIX into its parts. The prefix is None if `name` is only a path."""
    path, colon, prefix = name.rpartition(":")
    if not colon or is_file(name):
        return name, None
    return path, prefix


def split_settings(text: str) -> tuple[str, dict[str, str]]:
    """Split a name into the library and its settings, in their order.

    Raises InputError if a setting is malformed or given twice.
    """
    library, settings = text, list[tuple[str, str]]()
    while not (is_path(library) and is_file(library)):
        rest, colon, last = library.rpartition(":")
        match = _SETTING.fullmatch(last)
        if not colon or match is None:
            break
        library = rest
        settings.insert(0, (match[1], match[2]))
    if len(dict(settings)) < len(settings):
        raise InputError(f"'{text}' gives a setting twice")
    if ":" in library and not is_path(library):
        raise InputError(f"'{library.partition(':')[2]}' is not a setting: expected KEY=VALUE")
    return library, dict(settings)
