"""Names in heaptrack files: modules, strings and frames.

Raw files (`heaptrack -r`) contain the names of modules. Interpreted files, which heaptrack writes
by default, contain the names of functions, and line numbers. All numbers are hexadecimal. LENGTH,
the length of a text, is present only in format 3.

Lines of raw files:

    x LENGTH PATH                              the executable
    m LENGTH PATH BASE [OFFSET SIZE]...        a module at address BASE, and its segments. PATH is x
                                               for the executable. "m 1 -" begins a new list of
                                               modules

Lines of interpreted files:

    s LENGTH TEXT                              the next string; the first is string 1
    i ADDRESS MODULE [FUNCTION [FILE LINE]]... the next address; the first is address 1. MODULE,
                                               FUNCTION and FILE are numbers of strings. Each
                                               function is inlined into the one after it
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, NamedTuple

import numpy as np

from allocsim.call_sites.frame import Frame, make_frame
from allocsim.call_sites.symbols import Place, resolve
from allocsim.call_sites.table import MAX_FRAMES, SiteTable, table_of_addresses

MAX_TEXT = 1200
"""Maximum bytes kept of a string."""

MAX_UNPARSED = 1 << 24
"""Maximum bytes of lines that are kept unparsed until the table of call sites is made. Parsing is
delayed because many consumers never use the table, and because in a short interpreted file these
lines take longer to parse than the calls."""

LENGTH_FORMAT = 3
"""The first format in which the length of a text precedes the text."""

EXECUTABLE, NEW_LIST = b"x", b"-"
"""Special paths in an m line: the executable, and the start of a new list of modules."""


class Segment(NamedTuple):
    """A part of a module in memory."""

    start: int
    end: int
    base: int
    path: bytes


class Names:
    """The names read so far."""

    def __init__(self) -> None:
        self._frames: list[list[Frame]] = [[]]  # by number of the i line; 0 is unused
        self._maps: list[list[Segment]] = [[]]
        self._strings = [b""]
        self._executable = b""
        self._unparsed = bytearray()
        self._format = 0

    def add(self, lines: bytes, form: int) -> None:
        """Add the next lines with names. `form` is the file's format; invalid lines are ignored."""
        self._unparsed += lines
        self._format = form
        if len(self._unparsed) > MAX_UNPARSED:
            self._parse()

    def _parse(self) -> None:
        """Parse the lines that were added, except the last one if it is incomplete."""
        text, position = bytes(self._unparsed), 0
        while position < len(text):
            end = self._parse_line(text, position, self._format)
            if end < 0:
                break
            position = end
        del self._unparsed[:position]

    def _parse_line(self, text: bytes, start: int, form: int) -> int:
        """Parse the line at `start`; return the position after it, or -1 if it is incomplete."""
        letter, first = text[start : start + 1], start + 2
        try:
            if letter == b"i":
                end = text.index(b"\n", first)
                self._add_frames([int(word, 16) for word in text[first:end].split()])
                return end + 1
            begin, length = first, 0
            if form >= LENGTH_FORMAT:
                begin = text.index(b" ", first) + 1
                length = int(text[first:begin], 16)
            end = text.find(b"\n", begin + length)
        except ValueError:
            end = text.find(b"\n", first)
            return end + 1 if end >= 0 else -1
        if end < 0:
            return -1
        name, rest = text[begin : begin + length], text[begin + length : end]
        if form < LENGTH_FORMAT:
            name, _, rest = text[begin:end].partition(b" ") if letter == b"m" else (rest, b"", b"")
        self._add_text(letter, name.strip(b"\r"), rest)
        return end + 1

    def _add_text(self, letter: bytes, name: bytes, rest: bytes) -> None:
        """Add a string, the executable or a module."""
        if letter == b"s" and len(self._strings) < MAX_FRAMES:
            self._strings.append(name[:MAX_TEXT])
        elif letter == b"x":
            self._executable = name
        elif letter == b"m" and name == NEW_LIST:
            self._maps.append([])
        elif letter == b"m":
            try:
                base, *numbers = (int(word, 16) for word in rest.split())
            except ValueError:
                return
            path = self._executable if name == EXECUTABLE else name
            self._maps[-1] += [
                Segment(base + offset, base + offset + size, base, path)
                for offset, size in zip(numbers[::2], numbers[1::2], strict=False)
            ]

    def _add_frames(self, numbers: list[int]) -> None:
        """Add the frames of an address of an interpreted file."""
        if len(self._frames) >= MAX_FRAMES:
            return
        address, module, *parts = [*numbers, 0, 0][: max(len(numbers), 2)]
        names = [*(parts or [0]), 0, 0]
        self._frames.append(
            [
                make_frame(
                    self._string(names[at]) or f"{address:#x}",
                    self._string(names[at + 1]),
                    names[at + 2],
                    self._string(module),
                )
                for at in range(0, len(names) - 2, 3)
            ]
        )

    def _string(self, number: int) -> bytes:
        """Return the string with this number, or b"" if it does not exist."""
        return self._strings[number] if 0 <= number < len(self._strings) else b""

    def table(self, rows: Any, recording: str) -> tuple[SiteTable, list[str]]:
        """Return the table of the call sites in the tree `rows`, and notes on missing names.

        `rows` are records of StackRow, and `recording` is the path of the file.
        """
        self._parse()
        if len(self._frames) > 1:
            known = np.where(rows.address < len(self._frames), rows.address, 0)
            return table_of_addresses(rows.parent, known, self._frames), []
        # A return address is after the call instruction, so the byte before that address is looked
        # up.
        keys, numbers = np.unique(
            np.stack([rows.map, rows.address - 1], axis=1), axis=0, return_inverse=True
        )
        maps = [sorted(segments) for segments in self._maps]
        places = [_place(maps[min(key, len(maps) - 1)], address) for key, address in keys.tolist()]
        resolved = resolve(places, recording)
        return table_of_addresses(rows.parent, numbers.reshape(-1), resolved.chains), resolved.notes


def _place(segments: list[Segment], address: int) -> Place:
    """Return the module and the offset of an address; `segments` are sorted."""
    position = bisect_right(segments, address, key=lambda segment: segment.start)
    if position and address < segments[position - 1].end:
        segment = segments[position - 1]
        return Place(segment.path, address - segment.base)
    return Place(b"", address)
