"""The environment of a process that measures a malloc library.

The user's malloc settings are removed, so that a library is measured with its defaults, or with the
settings in its name (see `settings`). Reports name the removed settings. The measured library
should serve only the replay driver, but glibc also serves Python. When glibc is measured, another
installed library is therefore preloaded to serve Python. The preloaded library is called the host.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from allocsim.libraries.find import find_library, is_own_glibc, require_library
from allocsim.libraries.names import split_settings
from allocsim.libraries.settings import content_of, variables
from allocsim.text import printable

SETTINGS = (
    *(
        "LD_PRELOAD",
        "GLIBC_TUNABLES",
        "MALLOC_",
        "MIMALLOC_",
        "SCUDO_OPTIONS",
        "TBB_MALLOC_",
        "GC_",
    ),
    *("TCMALLOC_", "MALLOCSTATS", "HEAPPROFILE", "HEAPCHECK", "HEAP_", "CPUPROFILE", "PERFTOOLS_"),
)
"""Prefixes, in upper case, of the environment variables that select or configure a malloc library.
Names are compared in upper case, because mimalloc accepts its variables in upper and lower case."""

PREFIXED = "MALLOC_CONF"
"""End of the name of jemalloc's variable. If jemalloc is built with a prefix for its functions, the
name begins with a prefix too, as in _RJEM_MALLOC_CONF."""

TUNABLES = ("glibc.rtld.optional_static_tls=16384",)
"""Reserve room for jemalloc's thread-local storage. jemalloc is loaded by dlopen, and the room that
glibc reserves at startup for such libraries can be too small."""

TOP_PAD = "glibc.malloc.top_pad=268435456"
"""Make the glibc that serves Python take 256 MiB at a time from sbrk. tcmalloc takes memory from
sbrk too, and with small steps the memory of the two would interleave."""

ARENAS_PER_PROCESSOR = 8
"""glibc's limit on arenas for each processor, on 64-bit machines (NARENAS_FROM_NCORES)."""

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
"""Keep NumPy from starting threads: glibc's malloc is slower once a second thread has run."""

HOSTS = {
    "mimalloc": {"MIMALLOC_ALLOW_DECOMMIT": "0", "MIMALLOC_PURGE_DELAY": "-1"},
    "jemalloc": {"MALLOC_CONF": "dirty_decay_ms:-1,muzzy_decay_ms:-1"},
}
"""Libraries that can be the host, in order of preference. Each comes with the environment variables
that keep it from releasing memory. mimalloc has two of them, because its versions read different
ones. If the host released Python's memory during a replay, the measured growth would be too small:
by 1.2% in one of five replays. Neither library uses sbrk, so only glibc moves the program break."""


STDCXX = "libstdc++.so.6"
"""Preloaded when gperftools with its heap profiler is measured.

The problem: while gperftools is being loaded, it creates and deletes a string. If libstdc++ was
loaded before, its operator new allocates the string with glibc's malloc, but gperftools' operator
delete frees the string. An object of glibc then gets into gperftools' free lists, and gperftools'
count of allocated bytes begins at -24.

The remedy: make gperftools use libstdc++'s operators both to create and to delete the string. For
this, libstdc++ is preloaded, and gperftools is loaded without RTLD_DEEPBIND (see `load`)."""

_HEAP_PROFILER = b"HEAP_PROFILE_MMAP_LOG\0"


def host_of(library: str) -> str | None:
    """Return the host when `library` is measured, or None if glibc serves Python."""
    if not is_own_glibc(library):
        return None
    return next((host for host in HOSTS if find_library(host)), None)


def program_environment(
    library: str | None, keep_settings: bool = False, is_linked: bool = False
) -> Mapping[str, str]:
    """Return the environment in which `library` serves a program.

    If `library` is None, the program keeps its own malloc. If `is_linked`, the program is linked to
    the library, which is then not preloaded. With `keep_settings`, the user's malloc settings stay
    in the environment. Raises EnvironmentLacks if the library is not installed.
    """
    environment = _without_settings(keep_settings)
    if library is None:
        return environment
    if not is_linked and not is_own_glibc(library):
        user_preload = environment.get("LD_PRELOAD")
        environment["LD_PRELOAD"] = ":".join(filter(None, (require_library(library), user_preload)))
    return environment | variables(library, environment)


def child_environment(library: str | None, keep_settings: bool = False) -> Mapping[str, str]:
    """Return the environment of a process that measures `library`.

    If `library` is None, the process measures a design (a simulated allocator). With
    `keep_settings`, the user's malloc settings stay in the environment.
    """
    environment = _without_settings(keep_settings)
    if library is None:
        return environment | ONE_THREAD
    # With TOP_PAD, glibc would never release memory, so TOP_PAD is not set when glibc is measured.
    tunables = (*TUNABLES, arena_limit(library, environment) if is_own_glibc(library) else TOP_PAD)
    user_tunables = environment.get("GLIBC_TUNABLES")
    environment["GLIBC_TUNABLES"] = ":".join(filter(None, (*tunables, user_tunables)))
    host = host_of(library)
    preloads = [environment.get("LD_PRELOAD"), find_library(host) if host else None]
    if _HEAP_PROFILER in content_of(split_settings(library)[0]):
        preloads.append(STDCXX)
    environment["LD_PRELOAD"] = ":".join(filter(None, preloads))
    served = HOSTS[host] if host else {}
    return environment | served | variables(library, environment) | ONE_THREAD


def arena_limit(library: str, environment: Mapping[str, str]) -> str:
    """Return the tunable that sets glibc's limit on arenas to its default, or "".

    By default, glibc computes the limit when it has more than eight arenas. If the replay then runs
    on one processor (see `one_processor`), the limit would be that for one processor. mallopt
    cannot be used: it would give the main arena to the calling thread, not to the first thread of
    the replay.

    Returns "" if the user has set arena_max or arena_test, or if the machine has one processor.
    Also returns "" if the process may not use all processors: glibc before version 2.34 counts all
    processors of the machine, and newer versions count only those that the process may use.
    """
    processors, settings = len(os.sched_getaffinity(0)), split_settings(library)[1]
    is_set = has_arena_limit(environment) or "MALLOC_ARENA_TEST" in environment
    is_set |= "malloc.arena_test=" in environment.get("GLIBC_TUNABLES", "")
    if is_set or not settings.keys().isdisjoint(("arena_max", "arena_test")):
        return ""
    if processors == 1 or processors != os.cpu_count():
        return ""
    return f"glibc.malloc.arena_max={ARENAS_PER_PROCESSOR * processors}"


def has_arena_limit(environment: Mapping[str, str]) -> bool:
    """Return whether the environment sets glibc's limit on arenas."""
    tunables = environment.get("GLIBC_TUNABLES", "")
    return "malloc.arena_max=" in tunables or "MALLOC_ARENA_MAX" in environment


def removed_settings() -> str:
    """Return a phrase that names the user's malloc settings, or "" if the user has set none."""
    names = sorted(printable(name) for name in os.environ if _is_setting(name))
    return f"ignored environment variables: {', '.join(names)}" if names else ""


def removal_caution(keep_settings: bool) -> str:
    """Return a warning that the user's malloc settings are removed, or "" if none is removed."""
    removed = "" if keep_settings else removed_settings()
    option = "--keep-settings, or keep_settings=True in Python"
    return f"{removed} (to keep them, use {option})" if removed else ""


def _without_settings(keep_settings: bool) -> dict[str, str]:
    """Return the user's environment, without the malloc settings unless `keep_settings`."""
    return {
        name: value for name, value in os.environ.items() if keep_settings or not _is_setting(name)
    }


def _is_setting(name: str) -> bool:
    """Return whether the variable `name` selects or configures a malloc library."""
    return name.upper().startswith(SETTINGS) or name.endswith(PREFIXED)
