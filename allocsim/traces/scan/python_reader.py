"""Readers in plain Python: a generator of calls, gathered into batches.

Beside `text`, whose scanners are compiled: this is for formats whose files are small, or whose
bytes another library reads. Its one rule: whatever the generator reads of the source's text comes
through `lines`, which bounds the length of a line, and so the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from allocsim.errors import TraceError
from allocsim.traces.calls import BATCH, CALL, Call
from allocsim.traces.formats import CUT_CONTAINER
from allocsim.traces.source import Source

LONGEST = 1 << 20
"""Bytes of a line that are kept; what a longer one holds beyond that is left out."""


class GeneratedReader:
    """The calls that `make` yields for this reader, in batches."""

    def __init__(self, source: Source, make: Callable[[GeneratedReader], Iterator[Call]]) -> None:
        self.source = source
        self.notes: list[str] = []
        self.is_empty = True
        """Until the generator has taken a line, or made a call."""
        self.line = 0
        """Lines taken so far; the number of the last one, for messages."""
        self._make = make

    def batches(self) -> Iterator[Any]:
        """Arrays of CALL, each of its own."""
        calls = self._make(self)
        while rows := [*islice(calls, BATCH)]:
            self.is_empty = False
            try:
                yield np.array(rows, CALL).view(np.recarray)
            except OverflowError as error:
                raise TraceError(f"{self.source.name}: a number is beyond 64 bits") from error
        if self.source.truncated:
            self.notes.append(CUT_CONTAINER)

    def lines(self) -> Iterator[bytes]:
        """The lines of the source without their ends; a cut last one too, unless the source is."""
        block, rest = bytearray(LONGEST), b""
        while read := self.source.read_into(memoryview(block)):
            whole, newline, tail = block[:read].rpartition(b"\n")
            if newline:
                for line in (rest + whole).split(b"\n"):
                    yield self._taken(line)
                rest = bytes(tail)
            elif len(rest) < LONGEST:
                rest += tail
        if rest and not self.source.truncated:
            yield self._taken(rest)

    def _taken(self, line: bytes | bytearray) -> bytes:
        """Count a line; the line without the return at its end, and no longer than LONGEST."""
        self.line += 1
        self.is_empty = False
        return bytes(line[:LONGEST]).removesuffix(b"\r")
