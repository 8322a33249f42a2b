"""A subject: a design or a malloc library in this process, ready for the replay driver.

The child process creates the subject last, after everything else that a measurement needs, and
keeps the subject until the process ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from allocsim.core.records import HeapState
from allocsim.designs import (
    SUMMARIES,
    design_summaries,
    find_design,
    is_design_file,
    parse_setting,
)
from allocsim.errors import InputError, UnknownName
from allocsim.heap import RESERVE, Heap
from allocsim.libraries.counters import read_counters
from allocsim.libraries.environment import host_of
from allocsim.libraries.find import KNOWN, PREFIX, default_libraries, find_library, require_library
from allocsim.libraries.load import LoadedLibrary, load
from allocsim.libraries.names import is_path, split_settings
from allocsim.libraries.settings import require_settings
from allocsim.libraries.state import FUNCTIONS, Library
from allocsim.libraries.versions import read_version
from allocsim.text import encodable

LIKE_LIBRARIES = {"startup": "dlopen", "cores": str(os.cpu_count() or 1)}
"""Settings for designs that have these parameters, unless the user sets them. They give a design
this machine's number of processors, and the startup state of a library after dlopen. The measured
libraries are loaded by dlopen too."""


@dataclass(frozen=True)
class Subject:
    """An allocator that the driver can replay events on."""

    state: HeapState | Library
    heap: Heap | None = None
    """The heap of a design; it owns the memory of `state`."""
    library: LoadedLibrary | None = None

    def counters(self) -> dict[str, int]:
        """Return the library's counters, or those that a design computes for the modelled library.

        Returns {} if there are no counters.
        """
        if self.library:
            return read_counters(self.library)
        if self.heap and self.heap.design.native_counters:
            return self.heap.design.native_counters(self.heap.state)
        return {}

    def version(self) -> str | None:
        """Return the library's version, or None for a design."""
        return read_version(self.library) if self.library else None


def library_of(name: str) -> str | None:
    """Return the library in a subject's name, with its settings, or None for a design.

    "lib:glibc:arena_max=1" gives "glibc:arena_max=1".
    """
    return name.removeprefix(PREFIX) if name.startswith(PREFIX) else None


def design_of(name: str) -> tuple[str, dict[str, str]]:
    """Return the design and the settings in a subject's name, such as "tcmalloc:release_rate=10".

    Raises InputError if a setting is malformed.
    """
    design, *settings = name.split(":")
    return design, dict(parse_setting(text) for text in settings)


def started_like(name: str, start: int | None) -> str:
    """Return a design's name with settings that start its heap where a library's heap started.

    The library is the one that the design models, and `start` is the address that `libraries.start`
    reads from it. Settings in `name` take precedence. Returns `name` unchanged if it is that of a
    library, or if the address implies no settings.
    """
    if start is None or library_of(name) is not None:
        return name
    design, settings = design_of(name)
    start_settings = find_design(design).start
    implied = start_settings(start) if start_settings else {}
    return ":".join([name, *(f"{key}={implied[key]}" for key in implied if key not in settings)])


def choose_subjects(names: Iterable[str] | None) -> list[str]:
    """Return the named subjects, or by default the bundled designs and some installed libraries.

    The libraries are those of `default_libraries`. Raises InputError if no subject is named,
    or if one is unknown or named twice.
    """
    if names is None:
        return [*SUMMARIES, *(PREFIX + name for name in default_libraries() if find_library(name))]
    subjects = [name.strip() for name in names]
    for name in subjects:
        require_subject(name)
        if subjects.count(name) > 1:
            raise InputError(f"'{name}' is named twice")
    if not subjects:
        raise InputError("no allocator is named")
    return subjects


def require_subject(name: str) -> None:
    """Raise InputError unless `name` is a library or a design, with valid settings."""
    if encodable(name) != name:  # subjects are passed to child processes as JSON
        raise InputError(f"'{name}' is not valid UTF-8; rename the file, or make a link to it")
    library = library_of(name)
    if library is None:
        design, settings = design_of(name)
        if not is_design_file(design) and design not in design_summaries():
            known = [*design_summaries(), *(PREFIX + each for each in KNOWN)]
            raise UnknownName("subject", design, known, "a file such as ./mine.py")
        find_design(design).checked(settings)
        return
    name = split_settings(library)[0]
    if not is_path(name) and name not in KNOWN:
        raise UnknownName("library", name, KNOWN)
    require_settings(library)


def placeholder_state(name: str) -> HeapState | Library:
    """Return a state of the subject's type, to compile the kernels before the subject is loaded.

    This also looks up a library's files, because Python allocates memory during the first look-up.
    If `make_subject` did the first look-up, this memory would count as the library's.
    """
    library = library_of(name)
    if library is None:
        return Heap(design_of(name)[0], reserve=1 << 20).state
    require_library(library)
    host_of(library)
    return Library(np.zeros(len(FUNCTIONS), np.int64))


def make_subject(name: str, reserve: int = RESERVE) -> Subject:
    """Load the library called `name`, or make a heap of the design called `name`."""
    library = library_of(name)
    if library is None:
        design, settings = design_of(name)
        parameters = find_design(design).parameters
        defaults = {key: value for key, value in LIKE_LIBRARIES.items() if key in parameters}
        heap = Heap(design, reserve=reserve, **(defaults | settings))
        return Subject(heap.state, heap=heap)
    loaded = load(library)
    return Subject(loaded.state, library=loaded)
