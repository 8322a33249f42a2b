"""Stacks of a program image: the return addresses of each call that allocates.

A process that calls exec begins a new image. Each image is recorded in files called lanes (see
`layout`). Lane 0 has the stacks, and consists of entries. An entry consists of 8-byte words. Its
first word has three parts: the low byte is the kind, the next three bytes are the number of further
words, and the upper half is the stack's number. Stacks are numbered from 1 on, and the records of
the calls refer to them by these numbers. An object is the executable or a library. The entry of an
object precedes the first stack with an address in the object. If the program has unloaded
libraries, several objects may contain an address; the object whose entry came last counts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any

from allocsim.call_sites.pruning import pruned
from allocsim.call_sites.symbols import Place, resolve
from allocsim.call_sites.table import SiteTable, table_of_addresses
from allocsim.text import counted
from allocsim.traces.preload.images import Image
from allocsim.traces.preload.lane_files import lane_words
from allocsim.traces.preload.layout import CHUNK

MAX_DEPTH = 256
"""Maximum number of return addresses in a stack. The recorder cuts deeper stacks."""


RECORDER = b"/liballocsim-recorder-"
"""Part of the path of the recorder's library, whose frames are omitted."""


class Kind(IntEnum):
    """Kind of an entry of lane 0."""

    STACK = 1
    """Return addresses, the innermost first."""
    OBJECT = 2
    """Start and end address of a mapped file, the difference between addresses in memory and in the
    file, and the file's path, which is empty for the executable."""


class DamagedEntries(Exception):
    """The program has overwritten a part of lane 0, so the numbers of later stacks are unknown."""


class Stacks:
    """The stacks of an image as a tree. Each row is a call: its Place, and the row of its caller.

    Row 0 stands for an unknown place, and stack 0 for an unknown stack. If the entries are damaged,
    stacks after the damage are missing.
    """

    def __init__(self, image: Image) -> None:
        self.places: list[Place] = [Place(b"", 0)]
        """Places of calls. The path is empty for code that is in no file, such as compiled code of
        a JIT."""
        self.place_of: list[int] = [0]
        """By row: the index of the row's place in `places`."""
        self.parents: list[int] = [0]
        """By row: the row of the caller, which is a lower number, or 0 if no caller is known."""
        self.rows: list[int] = [0]
        """By stack: the row of the innermost place."""
        self.cut = 0
        """Number of stacks that the recorder has cut."""
        self._executable = bytes(image.header["program"])
        self._objects: list[tuple[int, int, int, bytes]] = []
        self._numbers: dict[Place, int] = {}
        self._known: dict[int, int] = {}
        self._children: dict[tuple[int, int], int] = {}
        self.is_damaged = False
        try:
            self._add_entries(image)
            self.is_damaged = len(self.rows) <= int(image.header["stacks"])
        except DamagedEntries:
            self.is_damaged = True

    def _add_entries(self, image: Image) -> None:
        """Add the objects and stacks of an image; raise DamagedEntries at a damaged entry."""
        for kind, words in read_entries(image):
            if kind == Kind.OBJECT:
                self._add_object(words)
            else:
                self._add_stack(words.tolist())

    def _add_object(self, words: Any) -> None:
        """Add an object, which may overlap an object that was unloaded before."""
        begin, end, load = words[:3].tolist()
        path = words[3:].tobytes().split(b"\0")[0] or self._executable
        if b"/" in path:  # the program may have loaded a library by a relative path
            path = bytes(Path(os.fsdecode(path)).absolute())
        self._objects.insert(0, (begin, end, load, path))
        self._known.clear()

    def _add_stack(self, addresses: list[int]) -> None:
        """Add a stack, and rows for the calls in it that are new."""
        row = 0
        for address in reversed(addresses):
            call = (row, self._place(address - 1))
            if RECORDER in self.places[call[1]].path:
                continue
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
                Place(b"", address),
            )
            number = self._numbers.setdefault(place, len(self.places))
            if number == len(self.places):
                self.places.append(place)
            self._known[address] = number
        return number


def site_table(image: Image) -> tuple[SiteTable, list[str], list[str]]:
    """Return (table, notes, losses): the call sites of an image, and sentences about them.

    The sentences about missing stacks are in `losses`, all others in `notes`. The number of a site
    is that of its stack. The functions and lines are read from the program's files, which may have
    changed since the recording.
    """
    stacks = Stacks(image)
    chains, notes = resolve(stacks.places, str(image.stacks))
    rows = table_of_addresses(stacks.parents, stacks.place_of, chains)
    frames = [frame for chain in chains[1:] for frame in chain]
    lines = sum(frame.line > 0 for frame in frames)
    known = f"{counted(len(stacks.rows) - 1, 'stack')} with {counted(len(frames), 'frame')}"
    notes.insert(0, f"call sites: {known}, of which {lines:,} have a line of source code")
    if stacks.cut:
        notes.append(f"{counted(stacks.cut, 'stack')} cut after {MAX_DEPTH} return addresses")
    losses = [_damage(len(stacks.rows) - 1)] if stacks.is_damaged else []
    return pruned(rows, stacks.rows), notes, losses


def _damage(known: int) -> str:
    """Return a sentence on missing stacks, for a recording with only `known` readable stacks."""
    return (
        f"the call sites after the first {counted(known, 'stack')} are unknown: the program has "
        "overwritten a part of the recording"
    )


def read_entries(image: Image) -> Iterator[tuple[Kind, Any]]:
    """Yield the kind and the words of each entry of an image's lane 0.

    Raises DamagedEntries at an entry that the program has overwritten, and at the end if stacks are
    missing.
    """
    lane, stacks = lane_words(image.stacks), 0
    for words in [*lane.chunks.reshape(-1, CHUNK // 8), lane.window]:
        position = 0
        while position < len(words) and (head := int(words[position])):
            kind, length = head & 0xFF, head >> 8 & 0xFFFFFF
            end = position + 1 + length
            if end > len(words) or kind not in [*Kind] or (kind == Kind.OBJECT and length < 4):
                raise DamagedEntries
            stacks += kind == Kind.STACK
            if kind == Kind.STACK and head >> 32 != stacks:
                raise DamagedEntries
            yield Kind(kind), words[position + 1 : end]
            position = end
