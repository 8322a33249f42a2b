"""Line reader: the base class of readers of text formats with one call (see `calls`) per line.

A scanner is the state of a scan. Each format has its own type of scanner: a NamedTuple of the text,
the ScanState and the format's own state. The type selects the kernel that implements `read_line`,
so the scan loop is compiled separately for each format (see `core.jit`). A line that is not of the
format ends the import with an error that shows the line's number and text. In a `mixed` format,
such lines, for example the program's own output, are skipped and counted. A last line without a
newline is dropped.
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
from allocsim.traces.prefetch import call_arrays
from allocsim.traces.reader import SKIPPED, Reader, shown
from allocsim.traces.scan.lex import NEWLINE, RETURN, next_line
from allocsim.traces.scan.state import ScanState
from allocsim.traces.source import Source

BLOCK = 1 << 20
"""Length in bytes of the buffer that the source fills. A longer line is an error, unless the
format is `mixed`."""

PADDING = 32
"""Number of bytes after the buffer that a kernel may read, because kernels load whole words and do
not check for the end of the text."""


@dataclass(frozen=True)
class LineFormat:
    """Description of a text format."""

    scanner: Callable[[Any, Any], Any]
    """Returns a new scanner. The arguments are its first two fields, `text` and `state`."""
    grammar: str
    """Form of a line, for error messages."""
    mixed: bool = False
    """Whether lines that are not of the format, such as the program's output, are skipped."""


@operation
def read_line(scan: Any, position: int, call: CallRecord) -> int:
    """Read the line at `position` into `call`; return the position after its newline.

    Returns -1 if the line is not of the format. Sets scan.state[0].made to 0 if the line makes no
    call.
    """
    raise NotImplementedError


@kernel
def scan_lines(scan: Any, start: int, end: int, calls: Table[CallRecord]) -> int:
    """Turn the lines of scan.text[start:end] into calls; `end` is the position after a newline.

    Returns the position of the first line that was not read. Sets scan.state[0].halt to the reason
    why the scan stopped.
    """
    text, state = scan.text, scan.state[0]
    state.calls = 0
    state.halt = Halt.NONE
    position = start
    while position < end:
        if state.calls == len(calls):
            state.halt = Halt.OUTPUT_FULL
            break
        if text[position] == NEWLINE or text[position] == RETURN:  # a blank line
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


class LineReader(Reader):
    """The calls of a source whose lines are of one format."""

    def __init__(self, source: Source, form: LineFormat) -> None:
        super().__init__(source)
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

    @property
    def unreadable(self) -> int:
        """Number of skipped lines that are calls, but could not be parsed."""
        return int(self._state.unreadable)

    def batches(self) -> Iterator[Any]:
        """Yield the calls in arrays that are reused in turn (see `prefetch.call_arrays`)."""
        arrays = call_arrays()
        self._calls = next(arrays)
        filled, at_end = 0, False
        while not at_end:
            filled += self.source.read_into(memoryview(self._block)[filled:BLOCK])
            at_end = filled < BLOCK
            end = self._block.rfind(b"\n", 0, filled) + 1
            if end == 0 and not at_end:
                end = self._split_long_line(filled)
            yield from self._scan_block(arrays, end)
            filled -= end
            self._block[:filled] = self._block[end : end + filled]
        self.drop_unended_line(self.lines + 1, self._block[:filled])
        self.notes += self._skip_notes()

    unreadable_note = "dropped calls that cannot be read"
    """Beginning of the note that gives the number of calls that could not be parsed."""

    def _skip_notes(self) -> list[str]:
        """Return notes on skipped lines, for the end of the import."""
        skipped = max(int(self._state.skipped) - self.unreadable, 0)
        counts = {SKIPPED: skipped, self.unreadable_note: self.unreadable}
        return [f"{reason}: {count:,}" for reason, count in counts.items() if count]

    def _scan_block(self, arrays: Iterator[Any], end: int) -> Iterator[Any]:
        """Yield batches of the calls in the complete lines before `end`."""
        position, state = 0, self._state
        while position < end:
            position = scan_lines(self._scan, position, end, self._calls)
            if state.calls:
                yield self._calls[: state.calls]
                self._calls = next(arrays)
            if state.halt == Halt.BAD_LINE:
                raise self._error(position, end)

    def _split_long_line(self, filled: int) -> int:
        """Split a line that is longer than BLOCK; return the end of its first part.

        Only a `mixed` format may have such a line; in other formats it is an error. This method
        writes a question mark and a newline near the end of the block. The question mark makes the
        first part unreadable, even if that part is the beginning of a call. The scan will count the
        first part as a line, and as a skipped one. This method lowers both counters in advance, so
        that all parts together count as one line.
        """
        if not self._state.mixed:
            raise self._error(0, filled)
        self._block[filled - 3 : filled - 1] = b"?\n"
        self._state.lines -= 1
        self._state.skipped -= 1
        return filled - 1

    def _error(self, position: int, end: int) -> TraceError:
        """Return the error for a line that is not of the format."""
        return TraceError(
            f"{self.source.name}, line {self.lines + 1}: found "
            f"{shown(self._block[position:end])}, expected {self._grammar}"
        )
