"""Traces that are not lines: a source in blocks, each scanned as far as it goes.

Between the containers and the binary formats, as `text` is for those of lines. A format scans what
a block holds and says how far it came; what is left is put before the next bytes. Its one rule: no
record is longer than a block, so memory is two blocks whatever a length in the file claims.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import numpy as np

from allocsim.errors import TraceError
from allocsim.traces.calls import no_calls
from allocsim.traces.formats import CUT_CONTAINER
from allocsim.traces.prefetch import AHEAD
from allocsim.traces.source import Source

BLOCK = 1 << 20
"""Bytes unpacked at a time; no record is longer."""


class RecordReader:
    """The calls of a source, in batches; a format adds `scan` and `grammar`."""

    grammar = ""
    """What a record is expected to be, for messages."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.notes: list[str] = []
        self._block = bytearray(BLOCK)
        self._content = np.frombuffer(self._block, np.uint8)
        self._scanned = 0
        """Bytes of the source before the block's first."""

    @property
    def is_empty(self) -> bool:
        """Whether the source held nothing."""
        return self._scanned == 0

    def scan(self, start: int, end: int, calls: Any) -> tuple[int, int, bool]:
        """Fill `calls` from the records that lie whole between `start` and `end` of the block.

        Gives where the first lies that is not done, how many calls were made, and whether that
        record is none.
        """
        raise NotImplementedError

    def batches(self) -> Iterator[Any]:
        """Arrays of CALL; each is used again when AHEAD + 2 more were made."""
        arrays = cycle([no_calls() for _ in range(AHEAD + 2)])
        self._calls = next(arrays)
        filled, at_end = 0, False
        while not at_end:
            read = self.source.read_into(memoryview(self._block)[filled:])
            filled += read
            at_end = filled < BLOCK
            done = yield from self._whole_records(filled, arrays)
            if done == 0 and not at_end:
                raise self._broken(0)
            filled -= done
            self._scanned += done
            self._block[:filled] = self._block[done : done + filled]
        if self.source.truncated:
            self.notes.append(CUT_CONTAINER)
        elif filled and not self._scanned:
            raise self._broken(0)
        elif filled:
            self.notes.append(
                f"the recording stops early: its last record is cut off after {filled:,} bytes "
                "and was left out"
            )

    def _whole_records(self, end: int, arrays: Iterator[Any]) -> Any:
        """Batches of the calls before `end`; returns where the first record lies that is cut."""
        position, before = 0, -1
        while position != before:
            before = position
            position, made, broken = self.scan(position, end, self._calls)
            if made:
                yield self._calls[:made]
                self._calls = next(arrays)
            if broken:
                raise self._broken(position)
        return position

    def _broken(self, position: int) -> TraceError:
        """The error for bytes at `position` of the block that are no record."""
        found = bytes(self._block[position : position + 12]).hex(" ")
        return TraceError(
            f"{self.source.name}, byte {self._scanned + position}: found {found}, expected "
            f"{self.grammar}"
        )
