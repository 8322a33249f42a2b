"""Stacks of a program image: the return addresses of each call that allocates.

Lane 0 of an image (see `layout`) consists of entries. The first word of an entry has the kind in
the low byte, and above it the number of words that follow. Entries of stacks have the numbers 1, 2
and so on, which are in the records of the calls. An entry of an object, which is the executable or
a library, is before the first stack with an address in it. If the program has unloaded libraries,
an address may be in another object than before: the last entry that contains it counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from allocsim.traces.preload.layout import CHUNK, Image

MAX_DEPTH = 256
"""Number of return addresses after which the recorder cuts a stack."""


class Kind(IntEnum):
    """Kind of an entry of lane 0."""

    STACK = 1
    """Return addresses, the innermost first."""
    OBJECT = 2
    """Begin and end of a mapped file, the difference between addresses in memory and in the file,
    and the file's path; it is empty for the executable."""


class Place(NamedTuple):
    """The place of a call in the program."""

    path: str
    """The executable or library; "" if the code is in no file, as that of a JIT compiler."""
    address: int
    """Address of the call instruction's last byte, as the file has it; in memory without a file."""


class Stacks:
    """The stacks of an image as a tree: a row is a place and the row of its caller.

    Row 0 and stack 0 are unknown.
    """

    def __init__(self, image: Image) -> None:
        self.places: list[Place] = [Place("", 0)]
        self.place_of: list[int] = [0]
        """By row: the number of its place."""
        self.parents: list[int] = [0]
        """By row: the row of the caller, a lower number; 0: no caller is known."""
        self.rows: list[int] = [0]
        """By stack: the row of the innermost place."""
        self.cut = 0
        """Number of stacks that the recorder has cut."""
        self._executable = image.path
        self._objects: list[tuple[int, int, int, str]] = []
        self._numbers: dict[Place, int] = {}
        self._known: dict[int, int] = {}
        self._children: dict[tuple[int, int], int] = {}
        for kind, words in read_entries(image):
            if kind == Kind.OBJECT:
                self._add_object(words)
            else:
                self._add_stack(words.tolist())

    def _add_object(self, words: Any) -> None:
        """Add an object, which may have taken the place of another one."""
        begin, end, load = words[:3].tolist()
        name = words[3:].tobytes().split(b"\0")[0].decode("utf-8", "replace")
        self._objects.insert(0, (begin, end, load, name or self._executable))
        self._known.clear()

    def _add_stack(self, addresses: list[int]) -> None:
        """Add a stack, and rows for the calls in it that are new."""
        row = 0
        for address in reversed(addresses):
            call = (row, self._place(address - 1))
            row = self._children.setdefault(call, len(self.parents))
            if row == len(self.parents):
                self.parents.append(call[0])
                self.place_of.append(call[1])
        self.rows.append(row)
        self.cut += len(addresses) == MAX_DEPTH

    def _place(self, address: int) -> int:
        """Return the number of the place of an address."""
        number = self._known.get(address)
        if number is None:
            place = next(
                (
                    Place(path, address - load)
                    for begin, end, load, path in self._objects
                    if begin <= address < end
                ),
                Place("", address),
            )
            number = self._numbers.setdefault(place, len(self.places))
            if number == len(self.places):
                self.places.append(place)
            self._known[address] = number
        return number


def read_entries(image: Image) -> Iterator[tuple[Kind, Any]]:
    """Yield the kind and the words of each entry of an image's lane 0.

    In a chunk of which the program has overwritten a part, the rest is skipped.
    """
    if not image.stacks.exists():
        return
    chunks = np.fromfile(image.stacks, np.uint64)
    for start in range(0, len(chunks) - CHUNK // 8 + 1, CHUNK // 8):
        words = chunks[start : start + CHUNK // 8]
        position = 0
        while position < len(words) and (head := int(words[position])):
            kind, end = head & 0xFF, position + 1 + (head >> 8)
            if end > len(words) or kind not in [*Kind] or (kind == Kind.OBJECT and head >> 8 < 4):
                break
            yield Kind(kind), words[position + 1 : end]
            position = end
