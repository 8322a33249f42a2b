"""ELF files: the loader that a program needs, and which of given symbols a file has.

Only the file's own tables are read, without running it. A file without section headers counts as
one that has none of the symbols.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

_HEADER = struct.Struct("<16xHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")

_INTERPRETER, _DYNAMIC_SYMBOLS = 3, 11
"""PT_INTERP, SHT_DYNSYM."""

_NATIVE = b"\x7fELF\x02\x01"
"""First bytes of a 64-bit little-endian file."""


class ElfFile(NamedTuple):
    """What is read of an ELF file."""

    is_native: bool
    """Whether it is a 64-bit program, as allocsim's Python is."""
    interpreter: str | None
    """The loader of a dynamically linked program; None if it is statically linked or a library."""
    defined: frozenset[str]
    """Which of the symbols it defines for other files."""
    imported: frozenset[str]
    """Which of the symbols it takes from other files."""


def read_elf(path: str | Path, symbols: Iterable[str] = ()) -> ElfFile | None:
    """Return what `path` has of `symbols`; None if it is damaged or no ELF file."""
    try:
        with Path(path).open("rb") as file:
            image = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    except (OSError, ValueError):
        return None
    with image:
        if image[:4] != _NATIVE[:4]:
            return None
        if image[:6] != _NATIVE:
            return ElfFile(False, None, frozenset(), frozenset())
        try:
            return _parsed(image, [*symbols])
        except (struct.error, OverflowError, UnicodeDecodeError):
            return None


def _parsed(image: mmap.mmap, symbols: list[str]) -> ElfFile:
    """Parse a native file; struct.error or OverflowError if its tables are outside it."""
    defined: set[str] = set()
    imported: set[str] = set()
    for name, is_defined in _found(image, symbols):
        (defined if is_defined else imported).add(name)
    return ElfFile(True, _interpreter(image), frozenset(defined), frozenset(imported))


def _interpreter(image: mmap.mmap) -> str | None:
    """Return the path in the PT_INTERP segment."""
    _, _, _, _, table, _, _, _, size, count, *_ = _HEADER.unpack_from(image)
    for index in range(count):
        kind, _, offset, _, _, length, *_ = _SEGMENT.unpack_from(image, table + index * size)
        if kind == _INTERPRETER:
            return image[offset : offset + length].rstrip(b"\0").decode()
    return None


def _found(image: mmap.mmap, symbols: list[str]) -> Iterator[tuple[str, bool]]:
    """Yield each of `symbols` in the dynamic symbol tables, and whether it is defined there."""
    _, _, _, _, _, start, _, _, _, _, size, count, _ = _HEADER.unpack_from(image)
    sections = [_SECTION.unpack_from(image, start + index * size) for index in range(count)]
    for _, kind, _, _, offset, length, link, *_ in sections:
        if kind != _DYNAMIC_SYMBOLS or link >= count:
            continue
        names = image[sections[link][4] : sections[link][4] + sections[link][5]]
        wanted = {at: name for name in symbols for at in _places(names, name)}
        table = image[offset : offset + length // _SYMBOL.size * _SYMBOL.size]
        for at, _, _, section, _, _ in _SYMBOL.iter_unpack(table) if wanted else ():
            if at in wanted:
                yield wanted[at], section != 0


def _places(names: bytes, name: str) -> Iterator[int]:
    """Yield every offset at which `name` ends a string: linkers let names share their ends."""
    text = name.encode() + b"\0"
    at = names.find(text)
    while at >= 0:
        yield at
        at = names.find(text, at + 1)
