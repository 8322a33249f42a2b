"""The footprint by call stack, as a profile for pprof (gzipped profile.proto).

`go tool pprof`, speedscope and other viewers read the format
(https://github.com/google/pprof/blob/main/proto/profile.proto). The field numbers in this
module are those of profile.proto. Each stack has one value for each measure in `stacks.MEASURES`.
Viewers show `pinned` unless the user chooses another measure.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator

from allocsim.call_sites.frame import Frame
from allocsim.explanation.explanation import Explanation
from allocsim.explanation.stacks import MEASURES, Stacks
from allocsim.reports.protobuf import content, integer, integers
from allocsim.text import printable

DEFAULT = "pinned"


def pprof_profile(explanation: Explanation, workload: str) -> bytes:
    """Return the profile of an explanation that has stacks. Equal explanations give equal bytes."""
    assert explanation.stacks is not None
    tables = _Tables()
    types = b"".join(content(1, _value_type(measure, tables)) for measure in MEASURES)
    samples = b"".join(_samples(explanation.stacks, tables))
    moment = f"{explanation.moment.name} (event {explanation.moment.event})"
    comment = tables.text(printable(f"{workload} on {explanation.subject}, at {moment}"))
    ends = integer(13, comment) + integer(14, tables.text(DEFAULT))
    return gzip.compress(types + samples + tables.fields() + ends, mtime=0)


def _samples(stacks: Stacks, tables: _Tables) -> Iterator[bytes]:
    """Yield the field of each stack: its locations, innermost first, and its values."""
    for frames, figures in stacks.rows():
        locations = integers(1, map(tables.location, frames))
        yield content(2, locations + integers(2, figures.values()))


def _value_type(measure: str, tables: _Tables) -> bytes:
    """Return the name and the unit of a measure."""
    unit = "count" if measure == "objects" else "bytes"
    return integer(1, tables.text(measure)) + integer(2, tables.text(unit))


class _Tables:
    """The tables of a profile: strings, modules, functions and locations.

    The rest of the profile refers to an entry of a table by its number.
    """

    def __init__(self) -> None:
        # String 0 must be empty. The others are numbered from 1.
        self._texts, self._modules = {"": 0}, dict[str, int]()
        self._functions, self._locations = dict[Frame, int](), dict[Frame, int]()

    def text(self, text: str) -> int:
        """Return the number of a string."""
        return self._texts.setdefault(text, len(self._texts))

    def location(self, frame: Frame) -> int:
        """Return the number of a frame's location."""
        if (known := self._locations.get(frame)) is not None:
            return known
        if frame.module:
            self._modules.setdefault(frame.module, len(self._modules) + 1)
        self._functions.setdefault(frame._replace(line=0), len(self._functions) + 1)
        number = self._locations[frame] = len(self._locations) + 1
        return number

    def fields(self) -> bytes:
        """Return the fields of all tables: strings last, because the other tables add strings."""
        parts = [
            *(content(3, self._mapping(*module)) for module in self._modules.items()),
            *(content(4, self._location(*location)) for location in self._locations.items()),
            *(content(5, self._function(*function)) for function in self._functions.items()),
        ]
        return b"".join([*parts, *(content(6, text.encode()) for text in self._texts)])

    def _mapping(self, module: str, number: int) -> bytes:
        """Return the message of a module. The flags tell viewers that it needs no more symbols."""
        flags = b"".join(integer(field, 1) for field in (7, 8, 9, 10))
        return integer(1, number) + integer(5, self.text(module)) + flags

    def _location(self, frame: Frame, number: int) -> bytes:
        """Return the message of a location: its function, line and module."""
        function = integer(1, self._functions[frame._replace(line=0)])
        module = integer(2, self._modules.get(frame.module, 0))
        return integer(1, number) + module + content(4, function + integer(2, frame.line))

    def _function(self, frame: Frame, number: int) -> bytes:
        """Return the message of a function: its name twice, and its file."""
        name = self.text(frame.function)
        names = integer(2, name) + integer(3, name)
        return integer(1, number) + names + integer(4, self.text(frame.file))
