"""Environment variables that give a program the settings of a subject of a sweep.

A subject is a malloc library or a design, with its settings. For a library, LD_PRELOAD is included.
For a design, only the settings that the modelled library also has are included.
"""

from __future__ import annotations

import shlex

from allocsim.benchmark.subject import library_of
from allocsim.errors import InputError
from allocsim.libraries.find import find_library, is_own_glibc
from allocsim.libraries.known_settings import FAMILIES
from allocsim.libraries.names import is_path, split_prefix, split_settings
from allocsim.libraries.settings import variables
from allocsim.sweep.results import Results, Subject

GO_VARIABLES = ("GOGC", "GOMEMLIMIT")
"""Parameters of the design `go` that are environment variables of Go programs."""


def line_of(results: Results, name: str) -> str:
    """Return `line_for` of a subject. `results` keeps the line, because `line_for` takes 1 ms."""
    if name not in results.lines:
        results.lines[name] = line_for(name, results.subjects[name])
    return results.lines[name]


def line_for(name: str, subject: Subject) -> str:
    """Return assignments to put before a program's command line, or "" if none is needed."""
    try:
        return " ".join(f"{key}={shlex.quote(value)}" for key, value in _assigned(name, subject))
    except InputError:  # saved results may name a library or a setting that is unknown here
        return ""


def _assigned(name: str, subject: Subject) -> list[tuple[str, str]]:
    """Return the environment variables of a subject and their values."""
    library = library_of(name)
    if library is not None:
        return [*_preload(split_settings(library)[0]), *variables(library, {}).items()]
    if subject.allocator == "go":
        return [(key, subject.settings[key]) for key in GO_VARIABLES if key in subject.settings]
    family = FAMILIES.get(subject.allocator)
    shared = {k: v for k, v in subject.settings.items() if family and k in family.settings}
    modelled = ":".join([subject.allocator, *(f"{key}={value}" for key, value in shared.items())])
    return list(variables(modelled, {}).items()) if shared else []


def _preload(library: str) -> list[tuple[str, str]]:
    """Return LD_PRELOAD for a library, or [] for the system's glibc, which programs use anyway."""
    if is_own_glibc(library):
        return []
    file = split_prefix(library)[0] if is_path(library) else find_library(library)
    return [("LD_PRELOAD", file)] if file else []
