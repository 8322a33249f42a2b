"""The counters of a malloc library.

A counter has the name that the library gives it. The values are integers, in bytes unless the name
says otherwise. They are signed, because libtcmalloc.so.4 may report -24 allocated bytes when
nothing is allocated. Reading counters allocates nothing from the library, so two readings in a row
are equal.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

from allocsim.libraries.load import LoadedLibrary

TCMALLOC = (
    "generic.current_allocated_bytes",
    "generic.heap_size",
    "generic.total_physical_bytes",
    "tcmalloc.pageheap_free_bytes",
    "tcmalloc.pageheap_unmapped_bytes",
    "tcmalloc.central_cache_free_bytes",
    "tcmalloc.transfer_cache_free_bytes",
    "tcmalloc.thread_cache_free_bytes",
    "tcmalloc.pageheap_committed_bytes",
    "tcmalloc.pageheap_scavenge_count",
    "tcmalloc.pageheap_commit_count",
    "tcmalloc.pageheap_total_commit_bytes",
    "tcmalloc.pageheap_decommit_count",
    "tcmalloc.pageheap_total_decommit_bytes",
    "tcmalloc.pageheap_reserve_count",
    "tcmalloc.pageheap_total_reserve_bytes",
)
"""Properties of gperftools' MallocExtension."""

JEMALLOC = ("allocated", "active", "metadata", "resident", "mapped", "retained")
"""Names under "stats." in jemalloc's mallctl."""

MALLINFO = (
    *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
    *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
)
"""The fields of glibc's struct mallinfo2, in order."""

MIMALLOC = (
    *("elapsed_msecs", "user_msecs", "system_msecs", "current_rss"),
    *("peak_rss", "current_commit", "peak_commit", "page_faults"),
)
"""The results of mi_process_info, in order."""

ALLOCATED = (
    ("generic.current_allocated_bytes",),
    ("stats.allocated",),
    ("uordblks", "hblkhd"),
    ("current_commit",),
)
"""For each library that counts its allocated bytes: the counters that sum to them. The sum is never
less than the live bytes."""


COMMITTED = (
    ("tcmalloc.pageheap_committed_bytes",),
    ("stats.resident",),
    ("arena", "hblkhd"),
    ("current_commit",),
)
"""For each library that counts its committed bytes (obtained from the OS and not released):
the counters that sum to them."""

CLOCKED = ("stats.resident", "current_commit")
"""One counter of each library that, by default, releases freed memory after a delay. The counter
identifies the library."""


def read_counters(library: LoadedLibrary) -> dict[str, int]:
    """Return the library's counters, or {} if allocsim does not know how to read them."""
    for symbol, read in _READERS.items():
        if library.address(library.prefix + symbol) or library.address(symbol):
            return read(library)
    return {}


def allocated(counters: dict[str, int]) -> int | None:
    """Return how many bytes the library counts as allocated, or None if it does not count them."""
    return _sum_of(ALLOCATED, counters)


def committed(counters: dict[str, int]) -> int | None:
    """Return how many bytes the library counts as committed, or None if it does not count them."""
    return _sum_of(COMMITTED, counters)


def releases_by_clock(counters: dict[str, int]) -> bool:
    """Return whether the library with these counters releases memory after a delay, by default."""
    return any(name in counters for name in CLOCKED)


def _sum_of(alternatives: Sequence[tuple[str, ...]], counters: dict[str, int]) -> int | None:
    """Return the sum of the first group whose names are all in `counters`, else None."""
    for names in alternatives:
        if all(name in counters for name in names):
            return sum(counters[name] for name in names)
    return None


def mallctl(library: LoadedLibrary) -> Callable[..., int]:
    """Return jemalloc's mallctl, whose name may begin with a prefix."""
    function: Callable[..., int] = getattr(library.handle, f"{library.prefix}mallctl")
    return function


def releases_in_background(library: LoadedLibrary) -> bool:
    """Return whether the library releases memory in a thread: jemalloc with background_thread."""
    if not library.address(f"{library.prefix}mallctl"):
        return False
    is_on, size = ctypes.c_bool(), ctypes.c_size_t(1)
    mallctl(library)(b"background_thread", ctypes.byref(is_on), ctypes.byref(size), None, 0)
    return is_on.value


def _tcmalloc(library: LoadedLibrary) -> dict[str, int]:
    """Return the properties of TCMALLOC that this version of gperftools has."""
    read = library.handle.MallocExtension_GetNumericProperty
    value, counters = ctypes.c_ssize_t(), {}
    for name in TCMALLOC:
        if read(name.encode(), ctypes.byref(value)):
            counters[name] = value.value
    return counters


def _jemalloc(library: LoadedLibrary) -> dict[str, int]:
    """Return jemalloc's totals. The write to "epoch" makes jemalloc refresh them first."""
    control = mallctl(library)
    epoch = ctypes.c_uint64(1)
    control(b"epoch", None, None, ctypes.byref(epoch), ctypes.c_size_t(8))
    value, size, counters = ctypes.c_ssize_t(), ctypes.c_size_t(8), {}
    for name in JEMALLOC:
        key = f"stats.{name}"
        if control(key.encode(), ctypes.byref(value), ctypes.byref(size), None, 0) == 0:
            counters[key] = value.value
    return counters


class _Mallinfo(ctypes.Structure):
    """glibc's struct mallinfo2."""

    _fields_ = tuple((name, ctypes.c_ssize_t) for name in MALLINFO)


def _glibc(library: LoadedLibrary) -> dict[str, int]:
    """Return the fields of glibc's mallinfo2, which are sums over all arenas."""
    read = library.handle.mallinfo2
    read.restype = _Mallinfo
    info = read()
    return {name: int(getattr(info, name)) for name in MALLINFO}


def _mimalloc(library: LoadedLibrary) -> dict[str, int]:
    """Return the results of mimalloc's mi_process_info."""
    values = [ctypes.c_ssize_t() for _ in MIMALLOC]
    library.handle.mi_process_info(*map(ctypes.byref, values))
    return {name: value.value for name, value in zip(MIMALLOC, values, strict=True)}


_READERS: dict[str, Callable[[LoadedLibrary], dict[str, int]]] = {
    "MallocExtension_GetNumericProperty": _tcmalloc,
    "mallctl": _jemalloc,
    "mi_process_info": _mimalloc,
    "mallinfo2": _glibc,
}
"""The functions that read counters, each under the symbol that it calls. In the library, the symbol
may have the library's prefix. If a library has several of these symbols, the first one is used."""
