"""Checks of the designs and libraries that a sweep names, before anything is measured."""

from __future__ import annotations

from collections.abc import Iterable

from allocsim.benchmark.subject import design_of, library_of
from allocsim.designs import is_design_file
from allocsim.errors import InputError
from allocsim.libraries.find import require_library
from allocsim.libraries.names import split_settings


def require_no_file(subjects: Iterable[str]) -> None:
    """Raise InputError if a design is a file, which a cluster's workers do not have."""
    for name in subjects:
        if library_of(name) is None and is_design_file(design_of(name)[0]):
            raise InputError(
                f"{name} is a file, which is not sent to a cluster; install the design there"
            )


def require_installed(subjects: Iterable[str]) -> None:
    """Raise EnvironmentLacks if a library among the subjects is not installed on this machine."""
    for name in subjects:
        library = library_of(name)
        if library is not None:
            require_library(split_settings(library)[0])
