"""The memory of a process by its mappings, as /proc/PID/smaps lists them.

The kernel lists how many pages of each mapping are anonymous. Three kinds of anonymous pages do not
come from malloc: pages of the stack, pages of mapped files (static data), and uninitialised static
data (.bss). The .bss of a file is in an anonymous mapping that starts where the mappings of the
file end. All other anonymous pages may come from malloc.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from allocsim.recorders.elf import zero_filled

_MAPPING = re.compile(
    rb"^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)$|^Anonymous: +(\d+) kB$", re.MULTILINE
)
"""Matches the first line of a mapping, or the line with its anonymous memory in KiB."""

STACK = b"[stack]"
"""The kernel's name for the stack of the main thread."""


class Mapping(NamedTuple):
    """A mapping of a process."""

    start: int
    end: int
    is_code: bool
    path: bytes
    """The mapped file, a name such as "[heap]", or b""."""
    anonymous: int
    """Bytes of anonymous pages that are resident."""

    @property
    def is_file(self) -> bool:
        """Whether a file is mapped."""
        return self.path.startswith(b"/")


class MemoryMap(NamedTuple):
    """The anonymous memory of a process at one moment."""

    static: dict[str, int]
    """Bytes that do not come from malloc: static data by file, and the stack as "[stack]"."""
    code: frozenset[str]
    """The files whose code is mapped."""

    def outside(self, excluded: Collection[str]) -> int:
        """Return the bytes of the stack, and of the static data of files not in `excluded`."""
        return sum(size for path, size in self.static.items() if path not in excluded)


NO_MEMORY = MemoryMap({}, frozenset())
"""The map of a process before its mappings are read."""


def read_memory_map(process: int) -> MemoryMap:
    """Read the mappings of a process; raise OSError if the process has ended.

    If the process ends while the mappings are read, the last mappings are missing, among them the
    stack and perhaps a preloaded library.
    """
    text = Path(f"/proc/{process}/smaps").read_bytes()
    if STACK not in text:
        raise ProcessLookupError(f"process {process} has ended")
    return memory_map(text)


def memory_map(text: bytes) -> MemoryMap:
    """Parse the text of /proc/PID/smaps."""
    static: dict[str, int] = {}
    code = set()
    previous = Mapping(0, 0, False, b"", 0)
    for mapping in _mappings(text):
        path, size = mapping.path.decode(errors="replace"), 0
        if mapping.is_file or mapping.path == STACK:
            size = mapping.anonymous
        elif not mapping.path and previous.is_file and mapping.start == previous.end:
            path = previous.path.decode(errors="replace")
            size = min(mapping.anonymous, _zero_filled(path))
        if size:
            static[path] = static.get(path, 0) + size
        if mapping.is_file and mapping.is_code:
            code.add(path)
        previous = mapping
    return MemoryMap(static, frozenset(code))


def _mappings(text: bytes) -> Iterator[Mapping]:
    """Yield the mappings in the order of their addresses."""
    head = None
    for match in _MAPPING.finditer(text):
        if match[5] is None:
            head = match
        elif head is not None:
            start, end = int(head[1], 16), int(head[2], 16)
            yield Mapping(start, end, b"x" in head[3], head[4], int(match[5]) << 10)


_zero_filled = lru_cache(maxsize=1024)(zero_filled)
