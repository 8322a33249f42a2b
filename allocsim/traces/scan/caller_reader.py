"""Caller reader: the base class of readers of text formats that name the caller of each call.

A caller is one address, so a call site has one frame. The scanner (see `line_reader`) has a field
`callers`, a table in which a kernel stores and numbers the texts of the callers (see
`text_numbers`). The table has room only if call sites are requested.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from allocsim.call_sites.frame import Frame
from allocsim.call_sites.table import SiteTable, table_of_addresses
from allocsim.traces.scan.line_reader import LineReader
from allocsim.traces.scan.text_numbers import texts_of, with_room_for_texts

MIN_LINE = 12
"""Length in bytes of the shortest line that names a caller: "@ x + 0x1 0" (mtrace) and newline."""


CALLERS_ONLY = (
    "a call site is only the caller of malloc, not a stack; in C++ this is often operator new"
)
"""A note for the user."""


class CallerReader(LineReader):
    """The calls of a source, with the caller of each call that allocates."""

    knows_sites = True

    def frames_of(self, callers: list[bytes]) -> list[Frame]:
        """Return the frame of each caller."""
        raise NotImplementedError

    def batches(self) -> Iterator[Any]:
        """Yield arrays of CALL, then complete the call sites if they are requested."""
        yield from super().batches()
        if self.sites is not None:
            callers = texts_of(self._scan.callers)
            self.notes += [CALLERS_ONLY] if callers else []
            self.sites.make_table_later(lambda: self._site_table(callers))

    def _site_table(self, callers: list[bytes]) -> SiteTable:
        """Return the table of call sites, each of which is one caller."""
        chains = [[frame] for frame in self.frames_of(callers)]
        return table_of_addresses([0] * len(callers), range(len(callers)), chains)

    def _scan_block(self, arrays: Iterator[Any], end: int) -> Iterator[Any]:
        """Make room for the callers of all calls before `end`, then yield the calls in batches."""
        if self.sites is not None:
            callers = with_room_for_texts(self._scan.callers, end // MIN_LINE + 1, end)
            self._scan = self._scan._replace(callers=callers)
        yield from super()._scan_block(arrays, end)
