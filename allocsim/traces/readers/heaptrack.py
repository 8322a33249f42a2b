"""The files of heaptrack: raw (`heaptrack -r`), and interpreted, which is what it usually leaves.

A reader: bytes to calls, by a compiled scanner. All numbers are bare hexadecimal:

    v VERSION FORMAT        first; the format of interpreted files is 0 to 3
    + SIZE TRACE PTR        raw, and in format 0: a block is allocated;   - PTR   it is freed
    a SIZE TRACE            interpreted: defines the next allocation site, 0, 1, 2, ...
    + SITE                  interpreted: a block is allocated there;      - SITE  one is freed
    s x m t i c R I A S X # names, modules, stacks, times and the like, of which nothing is read

Its one rule: interpreted files have no addresses, so `blocks` invents them, the oldest block of a
site freed first, and a note calls it approximate. Memory is bounded by the live blocks, the
MOST_SITES sites, 24 bytes each, and two blocks of text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from allocsim.core.jit import answers, kernel
from allocsim.errors import TraceError
from allocsim.events import Op
from allocsim.traces.formats import Format
from allocsim.traces.readers.heaptrack_sites import (
    BLOCKS,
    SITE,
    Blocks,
    add_site,
    allocate,
    free,
    roomier,
)
from allocsim.traces.scan.lex import SPACE, behind_newline, hexadecimal, next_line
from allocsim.traces.scan.line_reader import BLOCK, Lines, TextReader, read_line
from allocsim.traces.source import Source

MOST_SITES = 1 << 24
"""Allocation sites of a file; a program of millions of lines has some hundred thousand."""

NEWEST = 3
"""The newest format of interpreted files."""

LAST_UNNUMBERED, SINCE = 0x10200, 1
"""A file of this version that names no format is of this one."""

SHORTEST_SITE, SHORTEST_BLOCK = len(b"a 1 1\n"), len(b"+ 0\n")
"""So many bytes of text bring at most one site, one block."""

FILE = np.dtype(
    [
        ("format", np.int64),  # of the interpreted file
        ("raw", np.int64),  # 1 once a block came with its address
        ("command", np.int64),  # 1 behind a command line, which may go on over several lines
    ]
)
"""What is known of the file so far."""

_ALLOCATED, _FREED, _SITE, _TEXT, _PATH, _MODULE, _COMMAND, _INFORMATION, _TRACE, _VERSION = (
    ord(letter) for letter in "+-asxmXItv"
)
_FRAME, _TIME, _RESIDENT, _ATTACHED, _SUPPRESSION, _COMMENT = (ord(letter) for letter in "icRAS#")


class HeaptrackScan(NamedTuple):
    """The scanner of this format; state.held is where a text that holds newlines ends."""

    text: np.ndarray  # uint8
    state: np.recarray  # one SCAN
    file: np.recarray  # one FILE
    blocks: Blocks


def looks_like(head: bytes) -> bool:
    """Whether a file begins with heaptrack's version, v VERSION [FORMAT]."""
    first, newline, _ = head[:80].partition(b"\n")
    letter, *numbers = first.split()[:4] or [b""]
    digits = all(set(number) <= set(b"0123456789abcdef") for number in numbers)
    return letter == b"v" and bool(newline) and digits and len(numbers) in (1, 2)


@answers(read_line, HeaptrackScan)
@kernel
def _line(scan: HeaptrackScan, position: int, call: np.record) -> int:
    """Read one line into `call`; the position behind its newline, or -1 if it is broken."""
    scan.state[0].made = 0
    if position < scan.state[0].held:
        return next_line(scan.text, scan.state[0], position)
    behind = _known_line(scan, position, call)
    if behind < 0 and scan.file[0].command:
        scan.state[0].made = 0
        return next_line(scan.text, scan.state[0], position)
    return behind


@kernel
def _known_line(scan: HeaptrackScan, position: int, call: np.record) -> int:
    """Read a line by its letter."""
    letter, blank = scan.text[position], scan.text[position + 1] == SPACE
    if letter == _TRACE and blank:
        scan.file[0].command = 0
        return next_line(scan.text, scan.state[0], position)
    if letter == _ALLOCATED and blank:
        return _allocated(scan, position + 2, call)
    if letter == _FREED and blank:
        return _freed(scan, position + 2, call)
    if letter == _SITE and blank:
        return _site(scan, position + 2)
    if letter == _VERSION and blank:
        return _version(scan, position + 2)
    if letter in (_TEXT, _PATH, _MODULE) and blank:
        return _text(scan, position + 2)
    if letter in (_COMMAND, _INFORMATION):
        scan.file[0].command = letter == _COMMAND
        return next_line(scan.text, scan.state[0], position)
    if letter in (_FRAME, _TIME, _RESIDENT, _SUPPRESSION):
        return next_line(scan.text, scan.state[0], position) if blank else -1
    return next_line(scan.text, scan.state[0], position) if letter in (_ATTACHED, _COMMENT) else -1


@kernel
def _allocated(scan: HeaptrackScan, position: int, call: np.record) -> int:
    """Read the numbers of an allocation; a line that is broken makes no block, as room has it."""
    text, state = scan.text, scan.state[0]
    number = hexadecimal(text, position, state)
    call.op = Op.MALLOC
    state.made = 1
    if state.position > 0 and text[state.position] == SPACE:
        _next(text, state)
        call.address = _next(text, state)
        call.request = number
        scan.file[0].raw = 1
    elif (
        scan.file[0].raw
        or number >= scan.blocks.counts[0].sites
        or behind_newline(text, state.position) < 0
    ):
        return -1
    else:
        call.address = allocate(scan.blocks, number)
        call.request = scan.blocks.sites[number].request
    return behind_newline(text, state.position)


@kernel
def _freed(scan: HeaptrackScan, position: int, call: np.record) -> int:
    """Read the number of a free: an address, or a site once there are any."""
    number = hexadecimal(scan.text, position, scan.state[0])
    behind = behind_newline(scan.text, scan.state[0].position)
    call.op = Op.FREE
    scan.state[0].made = 1
    if scan.file[0].raw or scan.blocks.counts[0].sites == 0:
        call.address = number
    elif number >= scan.blocks.counts[0].sites or behind < 0:
        return -1
    else:
        call.address = free(scan.blocks, number)
    return behind


@kernel
def _site(scan: HeaptrackScan, position: int) -> int:
    """Read the definition of an allocation site."""
    request = hexadecimal(scan.text, position, scan.state[0])
    _next(scan.text, scan.state[0])
    behind = behind_newline(scan.text, scan.state[0].position)
    if behind < 0 or scan.file[0].raw:
        return -1
    add_site(scan.blocks, request)
    return behind


@kernel
def _version(scan: HeaptrackScan, position: int) -> int:
    """Read the version and the format."""
    text, state, file = scan.text, scan.state[0], scan.file[0]
    version = hexadecimal(text, position, state)
    if state.position > 0 and text[state.position] == SPACE:
        file.format = _next(text, state)
    else:
        file.format = SINCE if version == LAST_UNNUMBERED else 0
    return behind_newline(text, state.position) if file.format <= NEWEST else -1


@kernel
def _text(scan: HeaptrackScan, position: int) -> int:
    """Pass a text by: from format 3 on its length says where it ends, not the first newline."""
    if scan.file[0].format == NEWEST:
        length = hexadecimal(scan.text, position, scan.state[0])
        if scan.state[0].position < 0 or length > BLOCK:
            return -1
        scan.state[0].held = scan.state[0].position + 1 + length
    return next_line(scan.text, scan.state[0], position)


@kernel
def _next(text: np.ndarray, state: np.record) -> int:
    """Read a blank and a hexadecimal number at state.position, unless that is -1."""
    if state.position < 0 or text[state.position] != SPACE:
        state.position = -1
        return 0
    return hexadecimal(text, state.position + 1, state)


def _begun(text: Any, state: Any) -> HeaptrackScan:
    """The scanner at the beginning of a file."""
    file = np.zeros(1, FILE).view(np.recarray)
    counts, sites = np.zeros(1, BLOCKS), np.zeros(0, SITE)
    blocks = Blocks(counts.view(np.recarray), sites.view(np.recarray), np.zeros(1, np.int64))
    return HeaptrackScan(text, state, file, blocks)


LINES = Lines(
    scan=_begun,
    grammar="a line of heaptrack: v VERSION FORMAT with a format up to 3, + SIZE TRACE PTR, - PTR, "
    "a SIZE TRACE, + SITE, - SITE, in hexadecimal, or one that begins with s x m t i c R I or X",
)


class HeaptrackReader(TextReader):
    """The calls of a file of heaptrack."""

    def __init__(self, source: Source) -> None:
        super().__init__(source, LINES)

    def batches(self) -> Iterator[Any]:
        """Arrays of CALL; notes at the end what is approximate."""
        yield from super().batches()
        if self._scan.blocks.counts[0].sites:
            self.notes.append(
                "approximate: this file of heaptrack has no addresses, so the oldest block of an "
                "allocation site is taken to be freed first; `heaptrack -r` records addresses"
            )

    def _scanned(self, arrays: Iterator[Any], end: int, at_end: bool) -> Iterator[Any]:
        """Batches of the calls before `end`, with room for all that they can bring."""
        blocks = roomier(self._scan.blocks, end // SHORTEST_SITE + 1, end // SHORTEST_BLOCK + 1)
        if len(blocks.sites) > 2 * MOST_SITES:
            raise TraceError(
                f"{self.source.name}, line {self.lines + 1}: more than {MOST_SITES:,} allocation "
                "sites, which no program has: the file is damaged"
            )
        self._scan = self._scan._replace(blocks=blocks)
        yield from super()._scanned(arrays, end, at_end)
        self._state[0].held = max(int(self._state[0].held) - end, 0)


FORMAT = Format(
    name="heaptrack",
    summary="files of heaptrack, raw (-r) or interpreted",
    looks_like=looks_like,
    open=HeaptrackReader,
)
