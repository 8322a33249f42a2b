"""Read an ELF file: its loader, and which of the given symbols it defines or imports.

Only the file's tables are read; the file is not run. A file without section headers counts as a
file without any of the symbols.
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
"""Elf64_Ehdr (without e_ident), Elf64_Phdr, Elf64_Shdr and Elf64_Sym, little-endian (elf(5))."""

_LOADED, _INTERPRETER, _DYNAMIC_SYMBOLS = 1, 3, 11
"""The segment types PT_LOAD and PT_INTERP, and the section type SHT_DYNSYM."""

_NATIVE = b"\x7fELF\x02\x01"
"""First bytes of a 64-bit little-endian file."""

_GO_BUILD = b"\xff Go buildinf:"
"""Beginning of the build information that Go's linker adds to programs."""


class ElfFile(NamedTuple):
    """The facts that `read_elf` finds in an ELF file."""

    is_native: bool
    """Whether the file is 64-bit and little-endian, as allocsim's Python is. If not, nothing else
    is read."""
    interpreter: str | None
    """The loader of a dynamically linked program. None for a static program and for a library."""
    defined: frozenset[str]
    """The given symbols that the file exports to other files."""
    imported: frozenset[str]
    """The given symbols that the file imports from other files."""


def read_elf(path: str | Path, symbols: Iterable[str] = ()) -> ElfFile | None:
    """Return the facts about a file, including which of `symbols` it defines or imports.

    Returns None if the file is damaged, cannot be read or is not an ELF file.
    """
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


def is_go_program(path: str | Path) -> bool:
    """Return whether Go's toolchain built `path`: such a file contains Go's build information."""
    try:
        with (
            Path(path).open("rb") as file,
            mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as image,
        ):
            return image.find(_GO_BUILD) >= 0
    except (OSError, ValueError):
        return False


def zero_filled(path: str | Path) -> int:
    """Return the size in bytes of the zero pages that the loader adds after a file's content.

    These pages are for .bss. A page that also has content of the file does not count. Returns 0 if
    the file is damaged, cannot be read or is not a native ELF file.
    """
    try:
        with (
            Path(path).open("rb") as file,
            mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as image,
        ):
            return sum(map(_zero_pages, _segments(image))) if image[:6] == _NATIVE else 0
    except (OSError, ValueError, struct.error):
        return 0


def _zero_pages(segment: tuple[int, ...]) -> int:
    """Return the bytes in those pages of a segment that have no content of the file."""
    kind, _, _, address, _, length, size, _ = segment
    if kind != _LOADED:
        return 0
    return _page_end(address + size) - _page_end(address + length)


def _page_end(address: int) -> int:
    """Round an address up to a page."""
    return -(-address // mmap.PAGESIZE) * mmap.PAGESIZE


def _parsed(image: mmap.mmap, symbols: list[str]) -> ElfFile:
    """Parse a native file; raise struct.error or OverflowError if a table is outside the file."""
    defined: set[str] = set()
    imported: set[str] = set()
    for name, is_defined in _dynamic_symbols(image, symbols):
        (defined if is_defined else imported).add(name)
    return ElfFile(True, _interpreter(image), frozenset(defined), frozenset(imported))


def _interpreter(image: mmap.mmap) -> str | None:
    """Return the path in the PT_INTERP segment, or None if there is no such segment."""
    for kind, _, offset, _, _, length, *_ in _segments(image):
        if kind == _INTERPRETER:
            return image[offset : offset + length].rstrip(b"\0").decode()
    return None


def _segments(image: mmap.mmap) -> Iterator[tuple[int, ...]]:
    """Yield the program headers (Elf64_Phdr); raise struct.error if one is outside the file."""
    _, _, _, _, table, _, _, _, size, count, *_ = _HEADER.unpack_from(image)
    for index in range(count):
        yield _SEGMENT.unpack_from(image, table + index * size)


def _dynamic_symbols(image: mmap.mmap, symbols: list[str]) -> Iterator[tuple[str, bool]]:
    """Yield each of `symbols` in the dynamic symbol tables, and whether it is defined there."""
    _, _, _, _, _, start, _, _, _, _, size, count, _ = _HEADER.unpack_from(image)
    sections = [_SECTION.unpack_from(image, start + index * size) for index in range(count)]
    for _, kind, _, _, offset, length, link, *_ in sections:
        if kind != _DYNAMIC_SYMBOLS or link >= count:
            continue
        names = image[sections[link][4] : sections[link][4] + sections[link][5]]
        name_at = {at: name for name in symbols for at in _places(names, name)}
        table = image[offset : offset + length // _SYMBOL.size * _SYMBOL.size]
        for at, _, _, section, _, _ in _SYMBOL.iter_unpack(table) if name_at else ():
            if at in name_at:
                yield name_at[at], section != 0


def _places(names: bytes, name: str) -> Iterator[int]:
    """Yield every offset in a string table at which the text up to the next NUL is `name`.

    There may be several, because a linker may store a name as the end of any longer name.
    """
    text = name.encode() + b"\0"
    at = names.find(text)
    while at >= 0:
        yield at
        at = names.find(text, at + 1)
