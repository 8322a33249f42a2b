"""Python reader: a generator of calls, gathered into batches.

It is for formats whose files are small, or whose bytes another library reads. The generator gets
text through `lines`, which limits the length of a line and thus the memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from allocsim.errors import TraceError
from allocsim.traces.calls import BATCH, CALL, Call
from allocsim.traces.formats import TRUNCATED
from allocsim.traces.source import Source

MAX_LINE = 1 << 20
"""Maximum bytes of a line that are kept. The rest of a longer line is dropped."""


class PythonReader:
    """The calls that `make` yields for this reader, in batches."""

    def __init__(self, source: Source, make: Callable[[PythonReader], Iterator[Call]]) -> None:
        self.source = source
        self.notes: list[str] = []
        self.is_empty = True
        """True until the generator has read a line or made a call."""
        self.line = 0
        """Number of the last line read, from 1."""
        self._make = make

    def batches(self) -> Iterator[Any]:
        """Yield arrays of CALL; none is reused."""
        calls = self._make(self)
        while rows := [*islice(calls, BATCH)]:
            self.is_empty = False
            try:
                yield np.array(rows, CALL).view(np.recarray)
            except OverflowError as error:
                raise TraceError(f"{self.source.name}: a number exceeds 64 bits") from error
        if self.source.truncated:
            self.notes.append(TRUNCATED)

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of the source without line ends.

        A last line without a newline is yielded too, unless the source is truncated, because
        then the line is cut off.
        """
        block, rest = bytearray(MAX_LINE), b""
        while read := self.source.read_into(memoryview(block)):
            whole, newline, tail = block[:read].rpartition(b"\n")
            if newline:
                for line in (rest + whole).split(b"\n"):
                    yield self._count(line)
                rest = bytes(tail)
            elif len(rest) < MAX_LINE:
                rest += tail
        if rest and not self.source.truncated:
            yield self._count(rest)

    def _count(self, line: bytes | bytearray) -> bytes:
        """Count a line; return it without the carriage return, cut to MAX_LINE."""
        self.line += 1
        self.is_empty = False
        return bytes(line[:MAX_LINE]).removesuffix(b"\r")
