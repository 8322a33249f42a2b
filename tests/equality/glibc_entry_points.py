"""Functions of glibc that `glibc_places` calls: those for aligned objects, and malloc_info."""

from __future__ import annotations

import ctypes
import os
import re
from itertools import count
from tempfile import TemporaryFile
from typing import Any

PAGE = 4096

_ELEMENT = re.compile(r"<(/?heap|total|system|aspace)\b([^>]*)>")
_ATTRIBUTE = re.compile(r'(\w+)="(\w+)"')

Call = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)


class AlignedCalls:
    """Makes the memalign calls of a replay with each suitable function of the library, in turn."""

    def __init__(self, handle: ctypes.CDLL) -> None:
        """`handle` is the library."""
        self._handle, self._number = handle, count()
        for name in ("memalign", "aligned_alloc", "valloc", "pvalloc"):
            getattr(handle, name).restype = ctypes.c_void_p
        self._function = Call(self.call)
        self.address = ctypes.cast(self._function, ctypes.c_void_p).value or 0
        """Address of the C function to call instead of memalign."""

    def call(self, alignment: int, size: int) -> int:
        """Return an aligned object, or 0 on failure."""
        names = functions_for(alignment, size)
        name = names[next(self._number) % len(names)]
        sizes = tuple(map(ctypes.c_size_t, (alignment, size)))
        if name == "posix_memalign":
            address = ctypes.c_void_p()
            self._handle.posix_memalign(ctypes.byref(address), *sizes)
            return address.value or 0
        takes_alignment = name in ("memalign", "aligned_alloc")
        return getattr(self._handle, name)(*(sizes if takes_alignment else sizes[1:])) or 0


def functions_for(alignment: int, size: int) -> list[str]:
    """Return the names of the functions that are equivalent to memalign(alignment, size)."""
    names = ["memalign", "aligned_alloc"]
    if alignment >= ctypes.sizeof(ctypes.c_void_p):
        names.append("posix_memalign")
    if alignment == PAGE:
        names.append("valloc")
        if size and size % PAGE == 0:  # pvalloc would round another size up
            names.append("pvalloc")
    return names


def malloc_info(handle: ctypes.CDLL) -> dict[str, int]:
    """Return the output of malloc_info for each arena, under the names of the design's counters.

    malloc_info prints to the library's stderr, because opening a stream would allocate memory.
    """
    kept = os.dup(2)
    with TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            handle.malloc_info(0, ctypes.c_void_p.in_dll(handle, "stderr"))
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        file.seek(0)
        return parse_malloc_info(file.read().decode())


def parse_malloc_info(text: str) -> dict[str, int]:
    """Return the counters of the arenas in the XML of malloc_info."""
    counters: dict[str, int] = {}
    heap = ""
    for tag, attributes in _ELEMENT.findall(text):
        found: dict[str, Any] = dict(_ATTRIBUTE.findall(attributes))
        if tag.endswith("heap"):
            heap = f"heap{found['nr']}" if found else ""
        elif heap:  # the sums after the last arena are skipped
            name = found["type"] if tag == "total" else f"{tag}.{found['type']}"
            values = {key: int(value) for key, value in found.items() if key != "type"}
            if tag == "total":
                counters |= {f"{heap}.{name}.{key}": value for key, value in values.items()}
            else:
                counters[f"{heap}.{name}"] = values["size"]
    return counters
