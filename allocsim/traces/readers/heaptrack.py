"""Files of heaptrack: raw files (`heaptrack -r`) and interpreted files, the default.

A file is text with one record per line. All numbers are hexadecimal, without 0x. TRACE is the
number of a stack, and SITE the number of an allocation site:

    v VERSION FORMAT        the first line; the format of interpreted files is 0 to 3
    + SIZE TRACE PTR        an allocation, in raw files and in format 0
    - PTR                   a free, in the same files
    a SIZE TRACE            the next site, in formats 1 to 3; the first is site 0
    + SITE                  an allocation at SITE, in formats 1 to 3
    - SITE                  a free of an object of SITE, in the same formats
    t, s, x, m, i           stacks and names (see `heaptrack_stacks`, `heaptrack_names`)
    c R I A S X #           times and the like: not used

Interpreted files of formats 1 to 3 have no addresses. `heaptrack_sites` invents them, and assumes
that a free frees the oldest block of its site. A note says that the result is approximate. For a
run of sqlite3, the median lifetime of a block was 7 events, as in a raw file of the same run.

Memory use is bounded by the blocks that are live in the program, a buffer of text, and 32 bytes for
each of at most MAX_SITES sites. Call sites, if requested, take more (see `heaptrack_stacks`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from allocsim.call_sites.table import SiteTable
from allocsim.core.jit import answers, kernel
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import records
from allocsim.errors import TraceError
from allocsim.events import Op
from allocsim.traces.calls import CallRecord
from allocsim.traces.formats import Format
from allocsim.traces.readers.heaptrack_names import Names
from allocsim.traces.readers.heaptrack_sites import (
    Sites,
    add_site,
    allocate,
    free,
    new_sites,
    with_room_for,
)
from allocsim.traces.readers.heaptrack_stacks import (
    Stacks,
    add_name,
    add_row,
    new_stacks,
    site_of,
    with_room_for_text,
)
from allocsim.traces.scan.lex import SPACE, hexadecimal, next_hexadecimal, next_line, skip_line_end
from allocsim.traces.scan.line_reader import BLOCK, LineFormat, LineReader, read_line
from allocsim.traces.scan.state import ScanState
from allocsim.traces.source import Source

MAX_SITES = 1 << 24
"""Maximum number of sites in a file. A large program has a few hundred thousand sites."""

NEWEST_FORMAT = 3
"""Newest known format of interpreted files."""

LAST_UNNUMBERED, ITS_FORMAT = 0x10200, 1
"""The last version of heaptrack whose files may lack FORMAT, and the format of such a file."""

MIN_SITE_LINE, MIN_BLOCK_LINE = len(b"a 1 1\n"), len(b"+ 0\n")
"""Lengths in bytes of the shortest line that defines a site, and of the shortest allocation."""


class HeaptrackFile(Struct):
    """State of a file that is being read."""

    format: Int64  # format of an interpreted file
    is_raw: Int64  # 1 once an allocation with an address has been read
    in_command: Int64  # 1 after the start of a command line, which may contain newlines
    string_end: Int64  # position in the buffer where a string that may contain newlines ends


_ALLOCATED, _FREED, _SITE, _STRING, _PATH, _MODULE, _COMMAND, _INFORMATION, _TRACE, _VERSION = (
    ord(letter) for letter in "+-asxmXItv"
)
_FRAME, _TIME, _RESIDENT, _ATTACHED, _SUPPRESSION, _COMMENT = (ord(letter) for letter in "icRAS#")


class HeaptrackScan(NamedTuple):
    """Scanner (see `scan.line_reader`) of this format."""

    text: np.ndarray  # uint8
    state: Table[ScanState]  # one row
    file: Table[HeaptrackFile]  # one row
    sites: Sites
    stacks: Stacks


def looks_like(head: bytes) -> bool:
    """Return whether a file begins with heaptrack's version, v VERSION [FORMAT]."""
    first, newline, _ = head[:80].partition(b"\n")
    letter, *numbers = first.split()[:4] or [b""]
    digits = all(set(number) <= set(b"0123456789abcdef") for number in numbers)
    return letter == b"v" and bool(newline) and digits and len(numbers) in (1, 2)


@answers(read_line, HeaptrackScan)
@kernel
def _line(scan: HeaptrackScan, position: int, call: CallRecord) -> int:
    """Read one line into `call`; return the position after its newline, or -1 (see read_line)."""
    file, state = scan.file[0], scan.state[0]
    state.made = 0
    if position < file.string_end:
        return _name(scan, position)
    after = _known_line(scan, position, call)
    if after < 0 and file.in_command:  # the recorded command line continues after a newline
        state.made = 0
        return next_line(scan.text, state, position)
    return after


@kernel
def _known_line(scan: HeaptrackScan, position: int, call: CallRecord) -> int:
    """Read a line according to its first letter; return the position after its newline, or -1."""
    letter, is_record = scan.text[position], scan.text[position + 1] == SPACE
    if letter == _TRACE and is_record:
        scan.file[0].in_command = 0
        return add_row(scan.stacks, scan.text, scan.state[0], position)
    if letter == _ALLOCATED and is_record:
        return _allocated(scan, position + 2, call)
    if letter == _FREED and is_record:
        return _freed(scan, position + 2, call)
    if letter == _SITE and is_record:
        return _site(scan, position + 2)
    if letter == _VERSION and is_record:
        return _version(scan, position + 2)
    if letter in (_STRING, _PATH, _MODULE) and is_record:
        return _string(scan, position)
    if letter == _FRAME and is_record:
        return _name(scan, position)
    if letter in (_COMMAND, _INFORMATION):
        scan.file[0].in_command = letter == _COMMAND
        return next_line(scan.text, scan.state[0], position)
    if letter in (_TIME, _RESIDENT, _SUPPRESSION):
        return next_line(scan.text, scan.state[0], position) if is_record else -1
    return next_line(scan.text, scan.state[0], position) if letter in (_ATTACHED, _COMMENT) else -1


@kernel
def _allocated(scan: HeaptrackScan, position: int, call: CallRecord) -> int:
    """Read an allocation, which has either an address or a site.

    A broken line must not allocate at a site: a broken line may be shorter than MIN_BLOCK_LINE, and
    the tables have room for only one block per MIN_BLOCK_LINE bytes of text.
    """
    text, state = scan.text, scan.state[0]
    number = hexadecimal(text, position, state)
    call.op = Op.MALLOC
    state.made = 1
    if state.position > 0 and text[state.position] == SPACE:
        call.site = site_of(scan.stacks, next_hexadecimal(text, state))
        call.address = next_hexadecimal(text, state)
        call.request = number
        scan.file[0].is_raw = 1
    elif (
        scan.file[0].is_raw
        or number >= scan.sites.counts[0].sites
        or skip_line_end(text, state.position) < 0
    ):
        return -1
    else:
        call.address = allocate(scan.sites, number)
        call.request = scan.sites.sites[number].request
        call.site = scan.sites.sites[number].stack
    return skip_line_end(text, state.position)


@kernel
def _freed(scan: HeaptrackScan, position: int, call: CallRecord) -> int:
    """Read a free. Its number is a site in an interpreted file with sites, else an address."""
    number = hexadecimal(scan.text, position, scan.state[0])
    after = skip_line_end(scan.text, scan.state[0].position)
    call.op = Op.FREE
    scan.state[0].made = 1
    if scan.file[0].is_raw or scan.sites.counts[0].sites == 0:
        call.address = number
    elif number >= scan.sites.counts[0].sites or after < 0:
        return -1
    else:
        call.address = free(scan.sites, number)
    return after


@kernel
def _site(scan: HeaptrackScan, position: int) -> int:
    """Read the definition of an allocation site, and add the site to the tables."""
    request = hexadecimal(scan.text, position, scan.state[0])
    stack = site_of(scan.stacks, next_hexadecimal(scan.text, scan.state[0]))
    after = skip_line_end(scan.text, scan.state[0].position)
    if after < 0 or scan.file[0].is_raw:
        return -1
    add_site(scan.sites, request, stack)
    return after


@kernel
def _version(scan: HeaptrackScan, position: int) -> int:
    """Read the version and the format."""
    text, state, file = scan.text, scan.state[0], scan.file[0]
    version = hexadecimal(text, position, state)
    if state.position > 0 and text[state.position] == SPACE:
        file.format = next_hexadecimal(text, state)
    else:
        file.format = ITS_FORMAT if version == LAST_UNNUMBERED else 0
    return skip_line_end(text, state.position) if file.format <= NEWEST_FORMAT else -1


@kernel
def _string(scan: HeaptrackScan, position: int) -> int:
    """Skip a string. Format 3 gives the string's length, because a string may contain newlines."""
    state, file = scan.state[0], scan.file[0]
    if file.format == NEWEST_FORMAT:
        length = hexadecimal(scan.text, position + 2, state)
        if state.position < 0 or length > BLOCK:
            return -1
        file.string_end = state.position + 1 + length
    return _name(scan, position)


@kernel
def _name(scan: HeaptrackScan, position: int) -> int:
    """Skip a line with a name; copy it first if call sites are requested."""
    after = next_line(scan.text, scan.state[0], position)
    add_name(scan.stacks, scan.text, position, after)
    return after


LINES = LineFormat(
    scanner=lambda text, state: HeaptrackScan(
        text, state, records(HeaptrackFile), new_sites(), new_stacks()
    ),
    grammar="'v VERSION FORMAT' (up to format 3), '+ SIZE TRACE PTR', '- PTR', 'a SIZE TRACE', "
    "'+ SITE' or '- SITE' in hexadecimal, or a line that begins with s, x, m, t, i, c, R, I or X",
)


class HeaptrackReader(LineReader):
    """The calls of a heaptrack file."""

    knows_sites = True

    def __init__(self, source: Source) -> None:
        super().__init__(source, LINES)
        self._names = Names()

    def batches(self) -> Iterator[Any]:
        """Yield the calls in batches, then add a note if the frees are approximate."""
        counts = self._scan.stacks.counts[0]
        counts.wanted = self.sites is not None
        yield from super().batches()
        if self.sites is not None:
            self.sites.make_table_later(self._site_table)
        if self._scan.sites.counts[0].sites:
            self.notes.append(
                "approximate: this heaptrack file has no addresses, so each free is assumed "
                "to be of the oldest block of its allocation site; `heaptrack -r` records addresses"
            )

    def _site_table(self) -> SiteTable:
        """Return the table of call sites, and add notes on names that are missing."""
        stacks = self._scan.stacks
        rows = stacks.rows[: stacks.counts[0].rows + 1]
        table, notes = self._names.table(rows, self.source.name)
        self.notes += notes
        return table

    def _scan_block(self, arrays: Iterator[Any], end: int) -> Iterator[Any]:
        """Yield batches of the calls before `end`, with tables large enough for all of them."""
        sites, blocks = end // MIN_SITE_LINE + 1, end // MIN_BLOCK_LINE + 1
        if self._scan.sites.counts[0].sites + sites > MAX_SITES:
            raise TraceError(
                f"{self.source.name}, line {self.lines + 1}: more than {MAX_SITES:,} allocation "
                "sites; the file is damaged"
            )
        self._scan = self._scan._replace(
            sites=with_room_for(self._scan.sites, sites, blocks),
            stacks=with_room_for_text(self._scan.stacks, end),
        )
        yield from super()._scan_block(arrays, end)
        file, stacks = self._scan.file[0], self._scan.stacks
        file.string_end = max(int(file.string_end) - end, 0)  # relative to the next block of text
        self._names.add(stacks.names[: stacks.counts[0].names].tobytes(), int(file.format))
        stacks.counts[0].names = 0


FORMAT = Format(
    name="heaptrack",
    summary="files of heaptrack, raw (-r) or interpreted",
    looks_like=looks_like,
    open=HeaptrackReader,
)
