"""Replace a function that a loaded library imports, for that library alone.

The dynamic linker stores the address of each imported function in a table of the library (its
GOT). The library's dynamic section lists these places as relocations (elf(5)).
"""

from __future__ import annotations

import ctypes
import mmap
import platform
from collections.abc import Iterator

from allocsim.libraries.load import LoadedLibrary, link_map

STRINGS, SYMBOLS, PLT_RELOCATIONS, PLT_BYTES, RELOCATIONS, RELOCATION_BYTES = 5, 6, 23, 2, 7, 8
"""Tags of the dynamic section: DT_STRTAB, DT_SYMTAB, DT_JMPREL, DT_PLTRELSZ, DT_RELA, DT_RELASZ."""

FUNCTION_TYPES = (6, 7) if platform.machine() == "x86_64" else (1025, 1026)
"""Types of relocations that store a function's address: GLOB_DAT and JUMP_SLOT."""

_WORD = ctypes.c_int64
_ENTRY, _SYMBOL_BYTES = 3 * 8, 24


def replace_import(library: LoadedLibrary, function: str, address: int) -> bool:
    """Make `library` call the function at `address` instead of the one that it imports.

    Returns False if the library does not import `function`.
    """
    tags = _dynamic_tags(library)
    name, places = function.encode(), []
    for table, size in ((PLT_RELOCATIONS, PLT_BYTES), (RELOCATIONS, RELOCATION_BYTES)):
        if table in tags:
            entries = range(tags[table], tags[table] + tags[size], _ENTRY)
            places += [place for entry in entries for place in _place(tags, entry, name)]
    for place in places:
        _write(link_map(library.handle).base + place, address)
    return bool(places)


def _dynamic_tags(library: LoadedLibrary) -> dict[int, int]:
    """Return the dynamic section of a library: its values by their tags."""
    at, tags = link_map(library.handle).dynamic, {}
    while tag := _word(at):
        tags[tag] = _word(at + 8)
        at += 16
    return tags


def _place(tags: dict[int, int], entry: int, name: bytes) -> Iterator[int]:
    """Yield the offset that the relocation at `entry` fills with the address of function `name`."""
    info = _word(entry + 8)
    if info & 0xFFFF_FFFF not in FUNCTION_TYPES:
        return
    symbol = tags[SYMBOLS] + _SYMBOL_BYTES * (info >> 32)
    offset = ctypes.c_uint32.from_address(symbol).value
    if ctypes.string_at(tags[STRINGS] + offset, len(name) + 1) == name + b"\0":
        yield _word(entry)


def _word(address: int) -> int:
    """Return the word at an address."""
    return _WORD.from_address(address).value


def _write(place: int, value: int) -> None:
    """Write a word to a page that may be read-only (RELRO)."""
    page = place & -mmap.PAGESIZE
    access = mmap.PROT_READ | mmap.PROT_WRITE
    ctypes.CDLL(None).mprotect(ctypes.c_void_p(page), ctypes.c_size_t(mmap.PAGESIZE), access)
    _WORD.from_address(place).value = value
