"""Test whether an address is in a function that has a symbol in its ELF file.

For an address in a function without a symbol, addr2line prints the name of the nearest function
before it. A stripped library has symbols only for the functions that it exports, so most of these
names are wrong.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
"""Elf64_Ehdr without e_ident, and Elf64_Shdr, both little-endian (elf(5))."""

_SYMBOL = np.dtype(
    [("name", "<u4"), ("kind", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"),
     ("size", "<u8")]
)  # fmt: skip
"""Elf64_Sym."""

_NATIVE = b"\x7fELF\x02\x01"
"""First bytes of a 64-bit little-endian ELF file."""

_TABLES = (2, 11)
"""The section types SHT_SYMTAB and SHT_DYNSYM."""

_FUNCTIONS = (2, 10)
"""The symbol types STT_FUNC and STT_GNU_IFUNC."""

MAX_TABLE = 256 << 20
"""Maximum size in bytes of a symbol table that is read. Chromium's has 100 MB."""


def in_named_functions(path: str, offsets: Any) -> Any:
    """Return a flag for each offset: whether the function that contains it has a symbol.

    If the file is damaged or cannot be read, all flags are False.
    """
    flags = np.zeros(len(offsets), np.bool_)
    try:
        for starts, ends in _functions(path):
            before = np.searchsorted(starts, offsets, side="right") - 1
            # Functions may overlap: use the highest end of all functions that start at or before
            # the offset.
            reach = np.maximum.accumulate(ends)
            flags |= (before >= 0) & (np.asarray(offsets) < reach[np.maximum(before, 0)])
    except (OSError, ValueError, OverflowError, struct.error):
        return np.zeros(len(offsets), np.bool_)
    return flags


def _functions(path: str) -> Iterator[tuple[Any, Any]]:
    """Yield (starts, ends) of the functions in each symbol table, sorted by start."""
    with Path(path).open("rb") as file:
        header = os.pread(file.fileno(), _HEADER.size, 0)
        if not header.startswith(_NATIVE):
            return
        _, _, _, _, _, start, _, _, _, _, size, count, _ = _HEADER.unpack(header)
        for index in range(count):
            section = os.pread(file.fileno(), _SECTION.size, start + index * size)
            _, kind, _, _, offset, length, *_ = _SECTION.unpack(section)
            if kind in _TABLES and length <= MAX_TABLE:
                content = os.pread(file.fileno(), length, offset)
                symbols = np.frombuffer(content, _SYMBOL, len(content) // _SYMBOL.itemsize)
                functions = symbols[
                    np.isin(symbols["kind"] & 15, _FUNCTIONS) & (symbols["size"] > 0)
                ]
                if len(functions):
                    order = np.argsort(functions["value"])
                    starts = functions["value"][order]
                    yield starts, starts + functions["size"][order]
