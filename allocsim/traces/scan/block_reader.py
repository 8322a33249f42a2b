"""Block reader: the base class of readers of binary formats, which scan a source in blocks.

The subclass for a format turns the complete records of each block into calls (see `calls`). An
incomplete record at the end of a block is moved to the start of the buffer, and the source's next
bytes are appended to it. One buffer is enough, even if a damaged file gives huge lengths, because
no record may be longer than a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from allocsim.errors import TraceError
from allocsim.text import counted
from allocsim.traces.prefetch import call_arrays
from allocsim.traces.reader import Reader
from allocsim.traces.source import Source

BLOCK = 1 << 20
"""Length in bytes of the buffer that the source fills. No record may be longer."""


class Scanned(NamedTuple):
    """Result of a scan."""

    position: int
    """Start of the first record that was not read."""
    calls: int
    """Number of calls made."""
    is_broken: bool
    """True if the bytes at `position` are invalid. False if they may be the start of a record that
    continues after the block."""


class BlockReader(Reader):
    """The calls of a source. The subclass of each format defines `scan` and `grammar`."""

    grammar = ""
    """Form of a record, for error messages."""

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._block = bytearray(BLOCK)
        self._content = np.frombuffer(self._block, np.uint8)
        self._offset = 0
        """Offset of the block in the source."""

    @property
    def is_empty(self) -> bool:
        """Whether the source contained nothing."""
        return self._offset == 0

    def scan(self, start: int, end: int, calls: Any) -> Scanned:
        """Fill `calls` from the complete records between `start` and `end` of the block.

        Stops when `calls` is full, at an incomplete record, and at invalid bytes.
        """
        raise NotImplementedError

    def batches(self) -> Iterator[Any]:
        """Yield the calls in arrays that are reused in turn (see `prefetch.call_arrays`)."""
        arrays = call_arrays()
        self._calls = next(arrays)
        filled, at_end = 0, False
        while not at_end:
            read = self.source.read_into(memoryview(self._block)[filled:])
            filled += read
            at_end = filled < BLOCK
            consumed = yield from self._scan_block(filled, arrays)
            if consumed == 0 and not at_end:
                raise self._error(0)
            filled -= consumed
            self._offset += consumed
            self._block[:filled] = self._block[consumed : consumed + filled]
        if self.source.truncated:
            return
        if filled and not self._offset:
            raise self._error(0)
        if filled:
            self.losses.append(
                f"the last record is cut off after {counted(filled, 'byte')} and was dropped"
            )

    def _scan_block(self, end: int, arrays: Iterator[Any]) -> Any:
        """Yield batches of the calls before `end`; return the start of the incomplete record."""
        position, previous = 0, -1
        while position != previous:  # equal if the scan has reached an incomplete record
            previous = position
            position, count, is_broken = self.scan(position, end, self._calls)
            if count:
                yield self._calls[:count]
                self._calls = next(arrays)
            if is_broken:
                raise self._error(position)
        return position

    def _error(self, position: int) -> TraceError:
        """Return the error for bytes at `position` of the block that are not a valid record."""
        content = bytes(self._block[position : position + 12]).hex(" ")
        return TraceError(
            f"{self.source.name}, byte {self._offset + position}: found {content}, expected "
            f"{self.grammar}"
        )
