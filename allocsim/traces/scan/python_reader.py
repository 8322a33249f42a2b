"""Python reader: the base class of readers that yield each call from a Python generator.

Such a reader is fast enough if the format's files are small, or if a kernel decodes the bytes.
A generator for a text format uses `lines`, which limits the length of a line, and thereby memory
use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from allocsim.errors import TraceError
from allocsim.traces.calls import BATCH, CALL, Call
from allocsim.traces.reader import Reader
from allocsim.traces.source import Source

MAX_LINE = 1 << 20
"""Maximum bytes of a line that are kept. The end of a longer line is replaced by a question mark,
so that a number that was cut does not look complete."""


class PythonReader(Reader):
    """A reader whose calls are yielded by the generator `make(self)`."""

    def __init__(self, source: Source, make: Callable[[PythonReader], Iterator[Call]]) -> None:
        super().__init__(source)
        self.line = 0
        """Number of the last line read, from 1."""
        self.unreadable_calls = 0
        """Number of calls that the generator could not parse. The generator sets this field."""
        self._make = make
        self._has_calls = False

    @property
    def is_empty(self) -> bool:
        """Whether the generator has neither read a line nor yielded a call."""
        return self.line == 0 and not self._has_calls

    @property
    def unreadable(self) -> int:
        """Number of calls that the generator could not parse."""
        return self.unreadable_calls

    def batches(self) -> Iterator[Any]:
        """Yield the calls in batches; every batch is a new array."""
        calls = self._make(self)
        while rows := [*islice(calls, BATCH)]:
            self._has_calls = True
            try:
                yield np.array(rows, CALL).view(np.recarray)
            except OverflowError as error:
                raise TraceError(f"{self.source.name}: a number exceeds 64 bits") from error

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of the source without their line ends.

        A last line without a newline is dropped (see `drop_unended_line`).
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
        self.drop_unended_line(self.line + 1, rest)

    def _count(self, line: bytes | bytearray) -> bytes:
        """Count a line; return the line without a carriage return, cut to MAX_LINE bytes."""
        self.line += 1
        kept = line if len(line) <= MAX_LINE else line[: MAX_LINE - 1] + b"?"
        return bytes(kept).removesuffix(b"\r")
