"""Stacks of heaptrack files: a tree of addresses, and the lines that name the addresses.

    t IP PARENT      the next row of the tree: IP and the number of the caller's row. The
                     first row is row 1
    m ... s ... x ... i ...   names: see `heaptrack_names`, which parses copies of these lines

In a raw file (`heaptrack -r`), IP is an address. In an interpreted file, heaptrack's default, it is
the number of an i line.

The tree and the names are collected only if call sites are requested. The site number of a call is
the row of its stack, or 0 if the stack is unknown or its row is MAX_NODES or higher.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocsim.call_sites.table import MAX_NODES
from allocsim.core.jit import kernel
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import grown, records
from allocsim.traces.scan.lex import (
    NEWLINE,
    hexadecimal,
    next_hexadecimal,
    next_line,
    skip_line_end,
)
from allocsim.traces.scan.state import ScanState

MIN_ROW_LINE = len(b"t 1 0\n")
"""Length in bytes of the shortest line that adds a row to the tree."""

_MODULE, _DASH = ord("m"), ord("-")


class StackCounts(Struct):
    """Counters of the tree and of the names."""

    wanted: Int64  # 1 if call sites are requested
    rows: Int64  # number of the last row of the tree so far; 0: no rows
    maps: Int64  # lists of modules so far: the line "m 1 -" begins another one
    names: Int64  # bytes used in the buffer `Stacks.names`


class StackRow(Struct):
    """A row of the tree."""

    address: Int64  # raw files: the address; interpreted files: the number of the i line, from 1
    parent: Int64  # row of the caller
    map: Int64  # number of the list of modules that was current when the row was read


class Stacks(NamedTuple):
    """The tree, and copies of lines with names that are not yet parsed."""

    counts: Table[StackCounts]  # one row
    rows: Table[StackRow]
    names: np.ndarray  # uint8


def new_stacks() -> Stacks:
    """Return an empty tree without names. Call sites are not requested."""
    return Stacks(records(StackCounts), records(StackRow), np.zeros(0, np.uint8))


def with_room_for_text(stacks: Stacks, length: int) -> Stacks:
    """Return the same state with room for the rows and names in `length` more bytes of text."""
    if not stacks.counts[0].wanted:
        return stacks
    rows = min(stacks.counts[0].rows + 1 + length // MIN_ROW_LINE + 1, MAX_NODES)
    names = stacks.counts[0].names + length
    if rows > len(stacks.rows):
        stacks = stacks._replace(rows=grown(stacks.rows, rows))
    if names > len(stacks.names):
        stacks = stacks._replace(names=grown(stacks.names, names))
    return stacks


@kernel
def add_row(stacks: Stacks, text: np.ndarray, state: ScanState, position: int) -> int:
    """Read a line t IP PARENT; return the position after its newline.

    A malformed line adds a row too, because the rows are numbered by the t lines.
    """
    counts = stacks.counts[0]
    if not counts.wanted:
        return next_line(text, state, position)
    address = hexadecimal(text, position + 2, state)
    parent = next_hexadecimal(text, state)
    after = skip_line_end(text, state.position)
    counts.rows += 1
    if counts.rows < len(stacks.rows):
        row = stacks.rows[counts.rows]
        row.address = address
        row.parent = parent
        row.map = counts.maps
    return after if after >= 0 else next_line(text, state, position)


@kernel
def site_of(stacks: Stacks, row: int) -> int:
    """Return the site number of a call whose stack is at `row`, or 0 if the stack is unknown."""
    if not stacks.counts[0].wanted or not 0 <= row <= stacks.counts[0].rows:
        return 0
    return row if row < len(stacks.rows) else 0


@kernel
def add_name(stacks: Stacks, text: np.ndarray, start: int, end: int) -> None:
    """Copy a line with a name to the buffer, if call sites are requested."""
    counts = stacks.counts[0]
    if not counts.wanted:
        return
    # The line "m 1 -" begins another list of modules.
    if text[start] == _MODULE and text[start + 4] == _DASH and text[start + 5] <= NEWLINE:
        counts.maps += 1
    for position in range(start, end):
        stacks.names[counts.names + position - start] = text[position]
    counts.names += end - start
