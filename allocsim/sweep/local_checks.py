"""Checks of this machine before the first cell."""

from __future__ import annotations

from collections.abc import Iterable

from allocsim.benchmark.subject import library_of
from allocsim.libraries.find import require_library
from allocsim.libraries.names import split_settings


def require_installed(subjects: Iterable[str]) -> None:
    """Raise EnvironmentLacks if a library among the subjects is not installed here."""
    for name in subjects:
        library = library_of(name)
        if library is not None:
            require_library(split_settings(library)[0])
