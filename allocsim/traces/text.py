"""Traces that are text, one call a line: from bytes to batches of calls, and to broken lines.

Between the containers and the formats of text, each of which brings a scanner. Its one rule: a
line that is not of the format ends the import with its number and its text, unless it is the cut
end of a recording that stopped early; such a one is read as far as it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np

from allocsim.errors import TraceError
from allocsim.traces.calls import Halt, no_calls
from allocsim.traces.container import Source
from allocsim.traces.read_ahead import AHEAD

BLOCK = 1 << 20
"""Bytes unpacked at a time; no line is longer."""

PADDING = 16
"""Bytes behind the last line that a scanner may look at."""

SCAN = np.dtype(
    [
        ("text", np.int64),  # address of the first byte of the block
        ("lines", np.int64),  # whole lines read so far
        ("calls", np.int64),  # calls written to the current output
        ("halt", np.int64),  # a Halt
        ("position", np.int64),  # where the number that was read last ends; -1: there was none
    ],
    align=True,
)
"""What a scanner keeps between its calls."""


@dataclass(frozen=True)
class TextFormat:
    """A format of text, one call a line."""

    name: str
    summary: str
    """What it is, with an example, in a line."""
    grammar: str
    """What a line is expected to be, for messages."""
    looks_like: Callable[[bytes], bool]
    """Whether a file that begins with these bytes is of the format."""
    scan: Callable[[Any, int, int, Any, Any], int]
    """scan(text, start, end, calls, state): the position of the first line not done."""


class CallReader:
    """The calls of a source, in batches; notes what is wrong with its end."""

    def __init__(self, source: Source, form: TextFormat) -> None:
        self.source = source
        self.form = form
        self.notes: list[str] = []
        self._block = bytearray(BLOCK + PADDING)
        self._text = np.frombuffer(self._block, np.uint8)
        self._state = np.zeros(1, SCAN).view(np.recarray)
        self._state[0].text = self._text.ctypes.data

    @property
    def lines(self) -> int:
        """Whole lines read so far."""
        return int(self._state[0].lines)

    def batches(self) -> Iterator[Any]:
        """Arrays of CALL; each is used again when AHEAD + 2 more were made."""
        arrays = cycle([no_calls() for _ in range(AHEAD + 2)])
        filled, at_end = 0, False
        while not at_end:
            read = self.source.read_into(memoryview(self._block)[filled:BLOCK])
            at_end = filled + read < BLOCK
            filled = self._terminated(filled + read) if at_end else filled + read
            end = self._behind_last_line(filled)
            if end == 0 and filled:
                raise self._broken(0, filled)
            yield from self._scanned(arrays, end, at_end)
            filled -= end
            self._block[:filled] = self._block[end : end + filled]

    def _scanned(self, arrays: Iterator[Any], end: int, at_end: bool) -> Iterator[Any]:
        """Batches of the calls in the whole lines before `end`."""
        position, state = 0, self._state[0]
        while position < end:
            calls = next(arrays)
            position = self.form.scan(self._text, position, end, calls, self._state)
            if state.calls:
                yield calls[: state.calls]
            if state.halt == Halt.BROKEN:
                if at_end and self._cut and self.lines and not self._has_line_behind(position, end):
                    self.notes.append(
                        f"the recording stops early: line {self.lines + 1} is cut off "
                        f"({self._shown(position, end)}) and was left out"
                    )
                    return
                raise self._broken(position, end)

    _cut = False
    """Whether the last line had no newline."""

    def _terminated(self, filled: int) -> int:
        """Deal with a last line that has no newline: end it, or leave it out if it is cut."""
        self._cut = filled > 0 and self._block[filled - 1] != ord("\n")
        if self.source.truncated:
            self.notes.append("the container stops early; what it held was read")
            return self._behind_last_line(filled)
        if self._cut:
            self._block[filled] = ord("\n")
            return filled + 1
        return filled

    def _behind_last_line(self, filled: int) -> int:
        """The position behind the last newline of the first `filled` bytes; 0 if there is none."""
        return self._block.rfind(b"\n", 0, filled) + 1

    def _has_line_behind(self, position: int, end: int) -> bool:
        """Whether the line at `position` is not the last."""
        return self._block.find(b"\n", position, end - 1) >= 0

    def _shown(self, position: int, end: int) -> str:
        """The line at `position`, shortened to what a message can hold."""
        line, *_ = self._block[position : min(position + 200, end)].split(b"\n")
        text = line.decode("utf-8", "backslashreplace")
        printable = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
        return f"'{printable[:80]}{'…' if len(printable) > 80 else ''}'"

    def _broken(self, position: int, end: int) -> TraceError:
        """The error for a line that is not of the format."""
        return TraceError(
            f"{self.source.name}, line {self.lines + 1}: found {self._shown(position, end)}, "
            f"expected {self.form.grammar}"
        )
