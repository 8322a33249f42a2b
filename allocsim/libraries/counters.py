"""What a malloc library says of itself: its counters and its version.

Above `library`, beside the child that measures from outside. Names are the library's own, values
whole numbers, bytes unless the name says otherwise. Its one rule: reading allocates nothing from
the library, so a counter that is read twice in a row has not changed.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from collections.abc import Callable

from allocsim.errors import AllocsimError
from allocsim.libraries.environment import child_environment
from allocsim.libraries.find import KNOWN, LoadedLibrary, find_library, load

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
"""What mallctl has under "stats."."""

MALLINFO = (
    *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
    *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
)
"""The fields of glibc's struct mallinfo2, in order."""

MIMALLOC = (
    *("elapsed_msecs", "user_msecs", "system_msecs", "current_rss"),
    *("peak_rss", "current_commit", "peak_commit", "page_faults"),
)
"""What mi_process_info fills in, in order."""

ALLOCATED = (
    ("generic.current_allocated_bytes",),
    ("stats.allocated",),
    ("uordblks", "hblkhd"),
    ("current_commit",),
)
"""Which counters, summed, hold at least all that is live: for each library the names."""


def read_counters(library: LoadedLibrary) -> dict[str, int]:
    """The library's own counters now; empty if it has none that are known here."""
    for symbol, read in _READERS.items():
        if library.address(symbol):
            return read(library)
    return {}


def read_version(library: LoadedLibrary) -> str | None:
    """What the library says of its version; None if it says nothing."""
    for symbol, read in _VERSIONS.items():
        if library.address(symbol):
            return read(library)
    return None


def allocated(counters: dict[str, int]) -> int | None:
    """Bytes that the library counts as handed out; None if it does not count them."""
    for names in ALLOCATED:
        if all(name in counters for name in names):
            return sum(counters[name] for name in names)
    return None


def _tcmalloc(library: LoadedLibrary) -> dict[str, int]:
    """gperftools: the properties that this version knows."""
    read = library.handle.MallocExtension_GetNumericProperty
    value, found = ctypes.c_size_t(), {}
    for name in TCMALLOC:
        if read(name.encode(), ctypes.byref(value)):
            found[name] = value.value
    return found


def _jemalloc(library: LoadedLibrary) -> dict[str, int]:
    """jemalloc: its totals, brought up to date first."""
    control = _mallctl(library)
    epoch = ctypes.c_uint64(1)
    control(b"epoch", None, None, ctypes.byref(epoch), ctypes.c_size_t(8))
    value, size, found = ctypes.c_size_t(), ctypes.c_size_t(8), {}
    for name in JEMALLOC:
        key = f"stats.{name}"
        if control(key.encode(), ctypes.byref(value), ctypes.byref(size), None, 0) == 0:
            found[key] = value.value
    return found


class _Mallinfo(ctypes.Structure):
    """struct mallinfo2."""

    _fields_ = tuple((name, ctypes.c_size_t) for name in MALLINFO)


def _glibc(library: LoadedLibrary) -> dict[str, int]:
    """glibc: sums over its arenas."""
    read = library.handle.mallinfo2
    read.restype = _Mallinfo
    info = read()
    return {name: int(getattr(info, name)) for name in MALLINFO}


def _mimalloc(library: LoadedLibrary) -> dict[str, int]:
    """mimalloc: what it says of the process."""
    values = [ctypes.c_size_t() for _ in MIMALLOC]
    library.handle.mi_process_info(*map(ctypes.byref, values))
    return {name: value.value for name, value in zip(MIMALLOC, values, strict=True)}


_READERS: dict[str, Callable[[LoadedLibrary], dict[str, int]]] = {
    "MallocExtension_GetNumericProperty": _tcmalloc,
    "mallctl": _jemalloc,
    "je_mallctl": _jemalloc,
    "mi_process_info": _mimalloc,
    "mallinfo2": _glibc,
}
"""By a function that only such a library has."""


def _mallctl(library: LoadedLibrary) -> Callable[..., int]:
    """jemalloc's mallctl, under the name that it has in this build."""
    name = "mallctl" if library.address("mallctl") else "je_mallctl"
    call: Callable[..., int] = getattr(library.handle, name)
    return call


def _text(function: Callable[..., object], *arguments: object) -> str:
    """What a function returns that returns a text."""
    function.restype = ctypes.c_char_p  # type: ignore[attr-defined]
    found = function(*arguments)
    return found.decode() if isinstance(found, bytes) else ""


def _jemalloc_version(library: LoadedLibrary) -> str:
    """As in "5.3.0": what mallctl says, without the commit."""
    text, size = ctypes.c_char_p(), ctypes.c_size_t(ctypes.sizeof(ctypes.c_char_p))
    _mallctl(library)(b"version", ctypes.byref(text), ctypes.byref(size), None, 0)
    return (text.value or b"").decode().partition("-")[0]


def _mimalloc_version(library: LoadedLibrary) -> str:
    """As in "2.0.9"; mi_version gives 209."""
    number = int(library.handle.mi_version())
    return f"{number // 100}.{number // 10 % 10}.{number % 10}"


_VERSIONS: dict[str, Callable[[LoadedLibrary], str]] = {
    "tc_version": lambda library: _text(library.handle.tc_version, None, None, None),
    "mallctl": _jemalloc_version,
    "je_mallctl": _jemalloc_version,
    "mi_version": _mimalloc_version,
    "gnu_get_libc_version": lambda library: _text(library.handle.gnu_get_libc_version),
}
"""By a function that only such a library has."""


PATIENCE = 60
"""Seconds that it may take."""


def describe_libraries() -> dict[str, str]:
    """For every library of KNOWN its version and file, or the package that brings it."""
    here = [name for name in KNOWN if find_library(name)]
    versions = _versions(here)
    return {
        name: f"{versions.get(name, 'version unknown')}, {find_library(name)}"
        if name in here
        else f"not here; Debian's package is {known.package}"
        for name, known in KNOWN.items()
    }


def _versions(names: list[str]) -> dict[str, str]:
    """The versions of libraries that are here; those that cannot be loaded are left out."""
    command = [sys.executable, "-m", __name__, *names]
    environment = child_environment("jemalloc")
    try:
        child = subprocess.run(
            command, env=environment, capture_output=True, timeout=PATIENCE, check=True
        )
        found: dict[str, str] = json.loads(child.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return {}
    return found


def _loaded_versions(names: list[str]) -> dict[str, str]:
    """The child's part."""
    found = {}
    for name in names:
        try:
            version = read_version(load(name))
        except AllocsimError:
            continue
        if version:
            found[name] = version
    return found


if __name__ == "__main__":
    print(json.dumps(_loaded_versions(sys.argv[1:])))  # noqa: T201
