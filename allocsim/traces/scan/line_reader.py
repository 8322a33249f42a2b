"""Line reader: text formats with one call per line, scanned by compiled kernels.

Each format implements the operation `read_line` for a scanner type of its own, so the scan loop is
compiled separately for each format. A line that is not of the format ends the import with an error
that shows the line's number and text. There are two exceptions, which only add a note: the last
line of a truncated recording, and, in a `mixed` format, the program's own output between the lines
of the tool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from allocsim.core.jit import kernel, operation
from allocsim.core.records import Table
from allocsim.core.tables import records
from allocsim.errors import TraceError
from allocsim.traces.calls import CallRecord, Halt
from allocsim.traces.formats import TRUNCATED, shown
from allocsim.traces.prefetch import call_arrays
from allocsim.traces.scan.lex import NEWLINE, RETURN, next_line
from allocsim.traces.scan.state import ScanState
from allocsim.traces.source import Source

BLOCK = 1 << 20
"""Bytes decompressed at a time. No line of a format may be longer."""

PADDING = 32
"""Bytes after the last line that a scanner may read."""

SKIPPED = "skipped lines that are not of the format"


@dataclass(frozen=True)
class LineFormat:
    """Description of a text format."""

    scanner: Callable[[Any, Any], Any]
    """Make the scanner from `text` and `state`. It is a NamedTuple that begins with these two."""
    grammar: str
    """Form of a line, for error messages."""
    mixed: bool = False
    """Whether other lines, such as the program's output, may appear between those of the format."""


@operation
def read_line(scan: Any, position: int, call: CallRecord) -> int:
    """Read the line at `position` into `call`; return the position after its newline.

    Returns -1 if the line is not of the format. A line that makes no call sets
    scan.state[0].made to 0.
    """
    raise NotImplementedError


@kernel
def scan_lines(scan: Any, start: int, end: int, calls: Table[CallRecord]) -> int:
    """Turn the lines of scan.text[start:end] into calls.

    Returns the position of the first line that was not read. `end` is the position after a newline.
    scan.state[0].halt says why the scan stopped.
    """
    text, state = scan.text, scan.state[0]
    state.calls = 0
    state.halt = Halt.NONE
    position = start
    while position < end:
        if state.calls == len(calls):
            state.halt = Halt.OUTPUT_FULL
            break
        if text[position] == NEWLINE or text[position] == RETURN:
            state.lines += text[position] == NEWLINE
            position += 1
            continue
        state.made = 1
        after = read_line(scan, position, calls[state.calls])
        if after < 0:
            if not state.mixed:
                state.halt = Halt.BAD_LINE
                break
            state.skipped += 1
            state.made = 0
            after = next_line(text, state, position)
        position = after
        state.lines += 1
        state.calls += state.made
    return position


class LineReader:
    """The calls of a source whose lines are of one format."""

    def __init__(self, source: Source, form: LineFormat) -> None:
        self.source = source
        self.notes: list[str] = []
        self._grammar = form.grammar
        self._block = bytearray(BLOCK + PADDING)
        text = np.frombuffer(self._block, np.uint8)
        state = records(ScanState)
        self._state = state[0]
        self._state.text = text.ctypes.data
        self._state.mixed = form.mixed
        self._scan = form.scanner(text, state)

    @property
    def lines(self) -> int:
        """Complete lines read so far."""
        return int(self._state.lines)

    @property
    def is_empty(self) -> bool:
        """Whether no line has been read."""
        return self.lines == 0

    def batches(self) -> Iterator[Any]:
        """Yield arrays of CALL. There are AHEAD + 2 arrays, which are reused in turn."""
        arrays = call_arrays()
        filled, at_end = 0, False
        while not at_end:
            read = self.source.read_into(memoryview(self._block)[filled:BLOCK])
            at_end = filled + read < BLOCK
            filled = self._end_last_line(filled + read) if at_end else filled + read
            end = self._end_of_lines(filled)
            if end == 0 and filled:
                end = self._split_long_line(filled)
            yield from self._scan_block(arrays, end, at_end)
            filled -= end
            self._block[:filled] = self._block[end : end + filled]
        self.notes += self._skip_notes()

    def _skip_notes(self) -> list[str]:
        """Return notes on skipped lines, for the end of the import."""
        skipped = int(self._state.skipped)
        return [f"{SKIPPED}: {skipped:,}"] if skipped else []

    def _scan_block(self, arrays: Iterator[Any], end: int, at_end: bool) -> Iterator[Any]:
        """Yield batches of the calls in the complete lines before `end`."""
        position, state = 0, self._state
        while position < end:
            calls = next(arrays)
            position = scan_lines(self._scan, position, end, calls)
            if state.calls:
                yield calls[: state.calls]
            if state.halt == Halt.BAD_LINE:
                is_last = self._block.find(b"\n", position, end - 1) < 0
                if not (at_end and self._is_cut and self.lines and is_last):
                    raise self._error(position, end)
                self.notes.append(
                    f"the recording ends early: line {self.lines + 1} is cut off "
                    f"({shown(self._block[position:end])}) and was dropped"
                )
                return

    _is_cut = False
    """Whether the last line of the source has no newline."""

    def _end_last_line(self, filled: int) -> int:
        """Add a missing newline to the last line, or drop that line if the source is truncated."""
        self._is_cut = filled > 0 and self._block[filled - 1] != ord("\n")
        if self.source.truncated:
            self.notes.append(TRUNCATED)
            return self._end_of_lines(filled)
        if self._is_cut:
            self._block[filled] = ord("\n")
            return filled + 1
        return filled

    def _end_of_lines(self, filled: int) -> int:
        """Return the position after the last newline in the first `filled` bytes, or 0."""
        return self._block.rfind(b"\n", 0, filled) + 1

    def _split_long_line(self, filled: int) -> int:
        """Handle a line longer than a block: skip it in a mixed format, else raise an error.

        A newline written near the end of the block splits the line. The parts still count as one
        line: the first part is not counted, but the rest is, even if it is empty.
        """
        if not self._state.mixed:
            raise self._error(0, filled)
        self._block[filled - 2] = ord("\n")
        self._state.lines -= 1
        self._state.skipped -= 1
        return filled - 1

    def _error(self, position: int, end: int) -> TraceError:
        """Return the error for a line that is not of the format."""
        return TraceError(
            f"{self.source.name}, line {self.lines + 1}: found "
            f"{shown(self._block[position:end])}, expected {self._grammar}"
        )
