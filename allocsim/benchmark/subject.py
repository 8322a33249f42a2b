"""A subject in this process: a design or a library, ready for the driver.

Above the designs and `library`; below what a child measures. Its one rule: a subject is made last,
when everything else that the child needs is there, and stays until the process ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from allocsim.core.records import HeapState
from allocsim.designs import design_summaries, find_design, is_design_file, parse_setting
from allocsim.errors import UnknownName
from allocsim.heap import RESERVE, Heap
from allocsim.libraries.counters import read_counters
from allocsim.libraries.find import KNOWN, PREFIX, LoadedLibrary, is_path, load
from allocsim.libraries.state import FUNCTIONS, Library
from allocsim.libraries.versions import read_version

LOADED = {"startup": "dlopen"}
"""What a design is told that has such a parameter: the libraries beside it are loaded late too."""


@dataclass(frozen=True)
class Subject:
    """What plays."""

    state: HeapState | Library
    heap: Heap | None = None
    """The heap of a design, which has to stay alive."""
    library: LoadedLibrary | None = None

    def counters(self) -> dict[str, int]:
        """The library's own counters, or what a design says that they would be."""
        if self.library:
            return read_counters(self.library)
        if self.heap and self.heap.design.native_counters:
            return self.heap.design.native_counters(self.heap.state)
        return {}

    def version(self) -> str | None:
        """The library's version; None for a design."""
        return read_version(self.library) if self.library else None


def library_of(name: str) -> str | None:
    """The library that a subject's name means: "lib:glibc" is glibc; None for a design."""
    return name.removeprefix(PREFIX) if name.startswith(PREFIX) else None


def design_of(name: str) -> tuple[str, dict[str, str]]:
    """The design and its settings that a subject's name means: "tcmalloc:release_rate=10"."""
    design, *settings = name.split(":")
    return design, dict(parse_setting(text) for text in settings)


def require_subject(name: str) -> None:
    """InputError unless `name` is a design with settings it knows, or a library."""
    library = library_of(name)
    if library is None:
        design, settings = design_of(name)
        if not is_design_file(design) and design not in design_summaries():
            known = [*design_summaries(), *(PREFIX + each for each in KNOWN)]
            raise UnknownName("subject", design, known)
        find_design(design).checked(settings)
    if library is not None and not is_path(library) and library not in KNOWN:
        raise UnknownName("library", library, KNOWN)


def unready(name: str) -> HeapState | Library:
    """A state of the type that the subject will have, to compile the kernels with."""
    if library_of(name) is None:
        return Heap(design_of(name)[0], reserve=1 << 20).state
    return Library(np.zeros(len(FUNCTIONS), np.int64))


def make_subject(name: str, reserve: int = RESERVE) -> Subject:
    """The subject of that name, loaded or reserved now."""
    library = library_of(name)
    if library is None:
        design, settings = design_of(name)
        parameters = find_design(design).parameters
        told = {key: value for key, value in LOADED.items() if key in parameters}
        heap = Heap(design, reserve=reserve, **(told | settings))
        return Subject(heap.state, heap=heap)
    loaded = load(library)
    return Subject(loaded.state, library=loaded)
