"""Run a replay on one processor, if this does not change what the library does.

In an ordered replay, one thread runs at a time. Without a restriction, the kernel wakes most
threads on another processor, which takes longer than the events. A replay of 393 threads took 296
to 567 ns/event of CPU time on two processors, and takes 156 to 194 ns/event on one.

The processor is chosen after the library has been loaded and has initialised itself. How the known
libraries use processors:

- jemalloc counts them when it is loaded (malloc_ncpus), and uses no CPU number unless percpu_arena
  is set. Its background threads should not share a processor with the replay.
- gperftools counts them when it is loaded, to decide whether its locks spin. It has no caches for
  each CPU.
- mimalloc asks only for the NUMA node of the running thread (getcpu).
- glibc counts them when it has more than eight arenas (arena_get2), to limit the number of arenas,
  unless arena_max is set. The environment of the process sets it (see `environment.arena_limit`).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from allocsim.libraries.counters import mallctl, releases_in_background
from allocsim.libraries.environment import has_arena_limit
from allocsim.libraries.load import LoadedLibrary

SECOND_NODE = Path("/sys/devices/system/node/node1")
"""Exists if the machine has several NUMA nodes."""


@contextmanager
def one_processor(library: LoadedLibrary) -> Iterator[None]:
    """Restrict this thread, and the threads that it creates meanwhile, to its current processor.

    If this could change the library's footprint, do nothing.
    """
    allowed = os.sched_getaffinity(0)
    if len(allowed) == 1 or not _is_independent(library):
        yield
        return
    # The kernel spreads busy processes over the processors, so replays that run at the same time
    # (see `sweep`) choose different ones.
    # If the affinity cannot be set (forbidden, or CPU unknown), the replay only takes longer.
    with suppress(OSError, ValueError):
        os.sched_setaffinity(0, {ctypes.CDLL(None).sched_getcpu()})
    try:
        yield
    finally:
        with suppress(OSError):
            os.sched_setaffinity(0, allowed)


def _is_independent(library: LoadedLibrary) -> bool:
    """Return whether the library works the same if the process is now limited to one processor."""
    if library.address(f"{library.prefix}mallctl"):
        return not (_has_arenas_of_processors(library) or releases_in_background(library))
    if library.address("mi_version"):
        return not SECOND_NODE.exists()
    if library.address("gnu_get_libc_version"):
        return has_arena_limit(os.environ)
    return bool(library.address("MallocExtension_GetNumericProperty"))


def _has_arenas_of_processors(library: LoadedLibrary) -> bool:
    """Return whether jemalloc has an arena for each CPU, or may have."""
    mode, size = ctypes.c_char_p(), ctypes.c_size_t(8)
    failed = mallctl(library)(
        b"opt.percpu_arena", ctypes.byref(mode), ctypes.byref(size), None, ctypes.c_size_t(0)
    )
    return bool(failed) or mode.value != b"disabled"
