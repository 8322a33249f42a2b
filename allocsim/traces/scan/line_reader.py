"""Traces that are text, one call a line: from bytes to batches of calls, and to broken lines.

Between the containers and the formats of text, each of which answers `read_line` for a scan type of
its own. Its one rule: a line that is not of the format ends the import with its number and its
text, unless it is the cut end of a recording that stopped early, or the format's tool writes among
what the program prints; such a one is left out and noted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np

from allocsim.core.jit import kernel, operation
from allocsim.errors import TraceError
from allocsim.traces.calls import Halt, no_calls
from allocsim.traces.formats import CUT_CONTAINER, shown
from allocsim.traces.prefetch import AHEAD
from allocsim.traces.scan.lex import NEWLINE, RETURN, next_line
from allocsim.traces.source import Source

BLOCK = 1 << 20
"""Bytes unpacked at a time; no line of a format is longer."""

PADDING = 32
"""Bytes behind the last line that a scanner may look at."""

SCAN = np.dtype(
    [
        ("text", np.int64),  # address of the first byte of the block
        ("lines", np.int64),  # whole lines read so far
        ("calls", np.int64),  # calls written to the current output
        ("made", np.int64),  # calls that the last line made: 1, or 0 if read_line has said so
        ("halt", np.int64),  # a Halt
        ("position", np.int64),  # where the number that was read last ends; -1: there was none
        ("mixed", np.int64),  # 1: lines that are not of the format are left out, else they halt
        ("foreign", np.int64),  # lines left out so far
        ("held", np.int64),  # what a format keeps while it reads on; 0 at first
        ("factor", np.int64),  # how many of call.request a line has asked for so far
        ("column", np.int64),  # where in its line what a format looks for stood last; 0 at first
    ],
    align=True,
)
"""What a scanner keeps between its calls."""


@dataclass(frozen=True)
class Lines:
    """How the lines of a format are read."""

    scan: Any
    """A NamedTuple type of (text, state), whose answer to `read_line` reads a line."""
    grammar: str
    """What a line is expected to be, for messages."""
    mixed: bool = False
    """Whether lines of others, a program's output, may stand between those of the format."""
    lost: str = ""
    """What to say of the lines that state.held counts, which were left out though of the format."""


@operation
def read_line(scan: Any, position: int, call: np.record) -> int:
    """Read the line at `position` into `call`: the position behind its newline; -1 if it is broken.

    A line that makes no call sets scan.state[0].made to 0.
    """
    raise NotImplementedError


@kernel
def scan_lines(scan: Any, start: int, end: int, calls: np.recarray) -> int:
    """Turn the lines of scan.text[start:end] into calls; the position of the first not done.

    The text is bytes; end lies behind a newline. scan.state[0].halt says why it stopped.
    """
    text, state = scan.text, scan.state[0]
    state.calls = 0
    state.halt = Halt.NONE
    position = start
    while position < end:
        if state.calls == len(calls):
            state.halt = Halt.FULL
            break
        if text[position] == NEWLINE or text[position] == RETURN:
            state.lines += text[position] == NEWLINE
            position += 1
            continue
        state.made = 1
        behind = read_line(scan, position, calls[state.calls])
        if behind < 0:
            if not state.mixed:
                state.halt = Halt.BROKEN
                break
            state.foreign += 1
            state.made = 0
            behind = next_line(text, state, position)
        position = behind
        state.lines += 1
        state.calls += state.made
    return position


class TextReader:
    """The calls of a source whose lines are of one format, in batches; notes what is wrong."""

    def __init__(self, source: Source, lines: Lines) -> None:
        self.source = source
        self.notes: list[str] = []
        self._grammar, self._lost = lines.grammar, lines.lost
        self._block = bytearray(BLOCK + PADDING)
        self._text = np.frombuffer(self._block, np.uint8)
        self._state = np.zeros(1, SCAN).view(np.recarray)
        self._state[0].text = self._text.ctypes.data
        self._state[0].mixed = lines.mixed
        self._scan = lines.scan(self._text, self._state)

    @property
    def lines(self) -> int:
        """Whole lines read so far."""
        return int(self._state[0].lines)

    @property
    def is_empty(self) -> bool:
        """Whether there was no line."""
        return self.lines == 0

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
                end = self._without_end(filled)
            yield from self._scanned(arrays, end, at_end)
            filled -= end
            self._block[:filled] = self._block[end : end + filled]
        lost = int(self._state[0].held) if self._lost else 0
        if foreign := int(self._state[0].foreign) - lost:
            self.notes.append(f"lines not of the format, left out: {foreign:,}")
        if lost:
            self.notes.append(f"{self._lost}: {lost:,}")

    def _scanned(self, arrays: Iterator[Any], end: int, at_end: bool) -> Iterator[Any]:
        """Batches of the calls in the whole lines before `end`."""
        position, state = 0, self._state[0]
        while position < end:
            calls = next(arrays)
            position = scan_lines(self._scan, position, end, calls)
            if state.calls:
                yield calls[: state.calls]
            if state.halt == Halt.BROKEN:
                if at_end and self._cut and self.lines and not self._has_line_behind(position, end):
                    self.notes.append(
                        f"the recording stops early: line {self.lines + 1} is cut off "
                        f"({shown(self._block[position:end])}) and was left out"
                    )
                    return
                raise self._broken(position, end)

    _cut = False
    """Whether the last line had no newline."""

    def _terminated(self, filled: int) -> int:
        """Deal with a last line that has no newline: end it, or leave it out if it is cut."""
        self._cut = filled > 0 and self._block[filled - 1] != ord("\n")
        if self.source.truncated:
            self.notes.append(CUT_CONTAINER)
            return self._behind_last_line(filled)
        if self._cut:
            self._block[filled] = ord("\n")
            return filled + 1
        return filled

    def _behind_last_line(self, filled: int) -> int:
        """The position behind the last newline of the first `filled` bytes; 0 if there is none."""
        return self._block.rfind(b"\n", 0, filled) + 1

    def _without_end(self, filled: int) -> int:
        """Deal with a line longer than a block: an error, or parts that count as one line."""
        if not self._state[0].mixed:
            raise self._broken(0, filled)
        self._block[filled - 2] = ord("\n")
        self._state[0].lines -= 1
        self._state[0].foreign -= 1
        return filled - 1  # what is left, even if nothing more comes, counts as the line

    def _has_line_behind(self, position: int, end: int) -> bool:
        """Whether the line at `position` is not the last."""
        return self._block.find(b"\n", position, end - 1) >= 0

    def _broken(self, position: int, end: int) -> TraceError:
        """The error for a line that is not of the format."""
        return TraceError(
            f"{self.source.name}, line {self.lines + 1}: found "
            f"{shown(self._block[position:end])}, expected {self._grammar}"
        )
