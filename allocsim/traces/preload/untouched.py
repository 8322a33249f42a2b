"""Large blocks that the program has touched only in part, collected while events are read.

A block is an object that the program allocated. The program touches a byte when it reads or writes
it; a page that was never touched takes no physical memory. Before a large block is freed or
resized, and at the end of the program, the recorder writes how many bytes of the block are in
memory. An event of a trace has no field for this number, so the numbers are stored in the trace's
header. The header names an event by its row: its position in the trace.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

import numpy as np

from allocsim.core.memory import OS_PAGE
from allocsim.events import Op
from allocsim.traces.calls import TOUCHED
from allocsim.traces.event_facts import LARGE

Block = tuple[int, int, int]
"""A block: the number of its untouched bytes, the row of its last allocation or resize, and the
number of its touched bytes."""


class UntouchedBlocks:
    """The blocks with the most untouched bytes, at most MAX_BLOCKS."""

    MAX_BLOCKS = 1 << 10
    MAX_TEXT = 40 * MAX_BLOCKS
    """Maximum length of the result of `pairs` as JSON text, in bytes."""

    def __init__(self) -> None:
        self._begun: dict[int, tuple[int, int]] = {}
        """By object id: the row in which the block was allocated or last resized, and its size."""
        self._found: list[Block] = []
        self._dropped = 0

    def without_notes(self, chunks: Iterator[Any], rows: int) -> Iterator[Any]:
        """Yield the chunks without their TOUCHED events, and collect the blocks of these events.

        `rows` is the number of events in the trace before the first chunk.
        """
        for chunk in chunks:
            is_note = chunk.op == TOUCHED
            is_large = (chunk.request >= LARGE) & (chunk.op <= Op.REALLOC)
            if is_note.any() or is_large.any():
                row = rows + np.cumsum(~is_note) - 1
                for index in np.flatnonzero(is_note | is_large).tolist():
                    self._add(chunk[index], int(row[index]))
                chunk = chunk[~is_note]
            rows += len(chunk)
            yield chunk

    def pairs(self) -> list[tuple[int, int]]:
        """Return the pairs (row, number of touched bytes) (see `event_facts.UNTOUCHED`)."""
        return sorted((row, touched) for _, row, touched in self._found)

    def notes(self, has_ended: bool) -> list[str]:
        """Return sentences about blocks whose touched bytes are not known.

        `has_ended` says whether the program ran its destructors. If not, the touched bytes of the
        blocks that were live at the end were not recorded.
        """
        sentences = []
        if self._dropped:
            sentences.append(
                "there are more large blocks touched only in part than the trace can list: "
                f"{self._dropped:,} of them count as touched in full"
            )
        if self._begun and not has_ended:
            sentences.append(
                "the program was killed or called _exit, so large blocks that were live at the end "
                "count as touched in full"
            )
        return sentences

    def _add(self, event: Any, row: int) -> None:
        """Process the allocation or resize of a large block, or a TOUCHED event."""
        if event.op != TOUCHED:
            self._begun[int(event.object)] = row, int(event.request)
            return
        begun = self._begun.pop(int(event.object), None)
        untouched = begun[1] - int(event.request) if begun else 0
        if begun and untouched >= OS_PAGE:
            heapq.heappush(self._found, (untouched, begun[0], int(event.request)))
        if len(self._found) > self.MAX_BLOCKS:
            heapq.heappop(self._found)
            self._dropped += 1
