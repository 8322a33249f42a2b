"""The column of site numbers in an allocsim trace: the call site of each event that allocates.

A trace seldom uses more than 65,535 sites. The writer therefore renumbers the used sites without
gaps, and stores each number in 1, 2 or 4 bytes. With 2 bytes, the column takes at most a ninth of
the file. The number of used sites is known only at the end; until then, the site numbers are in an
unnamed file in the directory of the trace.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from allocsim.call_sites.numbers import CallSites
from allocsim.call_sites.pruning import pruned
from allocsim.call_sites.table import SiteTable
from allocsim.core.tables import grown
from allocsim.errors import TraceError
from allocsim.traces.native.header import NO_SITES, REMEDY, SiteLayout
from allocsim.traces.native.open_file import OpenFile
from allocsim.traces.native.site_table import encode_table

BLOCK = 1 << 18
"""Number of site numbers that are copied at a time."""


class ColumnWriter:
    """Collects the site numbers of the events that are written."""

    def __init__(self, sites: CallSites, file: IO[bytes]) -> None:
        """`file` is an empty file for the numbers."""
        self._sites = sites
        self._file = file
        self._entries = 0
        self._numbers = np.zeros(1 << 10, np.uint32)  # site number -> number in the file, or 0
        self._used = [0]  # number in the file -> site number

    def add(self, count: int) -> None:
        """Add the site numbers of the next `count` allocating events."""
        numbers = self._sites.take(count)
        highest = int(numbers.max(initial=0))
        if highest >= len(self._numbers):
            self._numbers = grown(self._numbers, highest + 1)
        new = np.unique(numbers[(self._numbers[numbers] == 0) & (numbers > 0)])
        self._numbers[new] = np.arange(len(self._used), len(self._used) + len(new))
        self._used += new.tolist()
        self._file.write(self._numbers[numbers].tobytes())
        self._entries += count

    def write(self, out: IO[bytes]) -> SiteLayout:
        """Append the column and the table of used sites to `out`, if any site is known."""
        table = pruned(self._sites.table, self._used)
        if not np.any(table.node_of):
            return NO_SITES
        width = next(width for width in (1, 2, 4) if len(self._used) <= 1 << 8 * width)
        self._file.seek(0)
        while block := self._file.read(4 * BLOCK):
            out.write(np.frombuffer(block, np.uint32).astype(f"<u{width}").tobytes())
        content = encode_table(table)
        out.write(content)
        return SiteLayout(self._entries, width, len(content))


@contextmanager
def column_writer(sites: CallSites | None, path: Path) -> Iterator[ColumnWriter | None]:
    """Return a writer for the trace at `path`, or None if the trace has no call sites."""
    if sites is None:
        yield None
        return
    with tempfile.TemporaryFile(dir=path.resolve().parent) as file:
        yield ColumnWriter(sites, file)


class ColumnReader:
    """Reads the site numbers, one chunk of events after the other."""

    def __init__(self, file: OpenFile, layout: SiteLayout, offset: int, table: SiteTable) -> None:
        """The column begins at `offset`."""
        self.sites = CallSites()
        self.sites.table = table
        self._file, self._layout, self._offset = file, layout, offset
        self._read = 0

    def add(self, count: int, name: str) -> None:
        """Read the numbers of the next `count` allocating events.

        Raises TraceError if a number is missing or invalid; `name` is the file's name in the error.
        """
        width = self._layout.width
        if self._read + count > self._layout.entries:
            raise TraceError(
                f"{name}: it has more allocations than site numbers ({self._layout.entries:,}); "
                f"{REMEDY}"
            )
        content = self._file.read(width * count, self._offset + width * self._read)
        numbers = np.frombuffer(content, f"<u{width}", len(content) // width)
        if len(numbers) < count or int(numbers.max(initial=0)) >= len(self.sites.table):
            raise TraceError(f"{name}: a site number is missing or too large; {REMEDY}")
        self._read += count
        self.sites.put(numbers)

    def require_end(self, name: str) -> None:
        """Raise TraceError unless all numbers were read."""
        if self._read < self._layout.entries:
            raise TraceError(
                f"{name}: it has more site numbers ({self._layout.entries:,}) than allocations "
                f"({self._read:,}); {REMEDY}"
            )
