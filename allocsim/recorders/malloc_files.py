"""Recognise the files that have a malloc: libc's own, and those of malloc libraries."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from allocsim.recorders.elf import read_elf

MALLOC = "malloc"

_LIBC = re.compile(r"(ld-linux.*|ld64|libc|libc_malloc_debug)\.so.*")
"""The names of files that belong to glibc and have, or may have, its malloc."""


def is_libc(path: str) -> bool:
    """Return whether a library is part of glibc."""
    return _LIBC.fullmatch(Path(path).name) is not None


@lru_cache(maxsize=1024)
def has_malloc(path: str) -> bool:
    """Return whether a library defines malloc."""
    elf = read_elf(path, (MALLOC,))
    return elf is not None and MALLOC in elf.defined
