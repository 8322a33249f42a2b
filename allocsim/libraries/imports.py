"""Replace a function that a loaded library imports, for that library alone.

The dynamic linker stores the address of each imported function in a table of the library (its GOT).
The library's dynamic section points to the relocations, which list the entries of that table
(elf(5)). On supported processors, glibc replaces the offsets in the dynamic section by addresses
when it loads a library.
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
_SEGMENTS, _SEGMENT_BYTES, _SEGMENT_COUNT, _RELRO = 32, 56, 56, 0x6474E552


def replace_import(library: LoadedLibrary, function: str, address: int) -> bool:
    """Make `library` call the function at `address` instead of the imported function.

    Returns False if the library does not import `function`, or if the table cannot be made
    writable.
    """
    base, tags = link_map(library.handle).base or 0, _dynamic_tags(library)
    name, slots = function.encode(), []
    for table, size in ((PLT_RELOCATIONS, PLT_BYTES), (RELOCATIONS, RELOCATION_BYTES)):
        if table in tags:
            entries = range(tags[table], tags[table] + tags[size], _ENTRY)
            slots += [base + slot for entry in entries for slot in _table_offset(tags, entry, name)]
    pages = {slot & -mmap.PAGESIZE for slot in slots} & set(_read_only_pages(base))
    is_writable = all(_protect(page, mmap.PROT_READ | mmap.PROT_WRITE) for page in pages)
    for slot in slots if is_writable else ():
        _WORD.from_address(slot).value = address
    for page in pages:
        _protect(page, mmap.PROT_READ)
    return bool(slots) and is_writable


def _dynamic_tags(library: LoadedLibrary) -> dict[int, int]:
    """Return the values in the dynamic section of a library, by their tags."""
    at, tags = link_map(library.handle).dynamic, {}
    while tag := _word(at):
        tags[tag] = _word(at + 8)
        at += 16
    return tags


def _table_offset(tags: dict[int, int], entry: int, name: bytes) -> Iterator[int]:
    """If the relocation at `entry` is for function `name`, yield the offset of its table entry."""
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


def _read_only_pages(base: int) -> range:
    """Return the pages that the dynamic linker made read-only after relocation (RELRO).

    `base` is the address of the library's ELF header. The dynamic linker leaves a partial page at
    the end writable. The result does not include this page.
    """
    count = _word(base + _SEGMENT_COUNT) & 0xFFFF
    first = base + _word(base + _SEGMENTS)
    for segment in range(first, first + _SEGMENT_BYTES * count, _SEGMENT_BYTES):
        if _word(segment) & 0xFFFF_FFFF == _RELRO:
            begin = base + _word(segment + 16)
            end = begin + _word(segment + 40)
            return range(begin & -mmap.PAGESIZE, end & -mmap.PAGESIZE, mmap.PAGESIZE)
    return range(0)


def _protect(page: int, access: int) -> bool:
    """Set the access rights of a page; return False on failure."""
    size, protection = ctypes.c_size_t(mmap.PAGESIZE), ctypes.c_int(access)
    return bool(ctypes.CDLL(None).mprotect(ctypes.c_void_p(page), size, protection) == 0)
