"""The environment of a process that measures a malloc library.

The user's malloc settings are removed, so that a library is measured with its defaults. The
measured library should serve the replay driver alone, but glibc also serves Python. When glibc is
measured, another installed library is therefore preloaded to serve Python: the host.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from allocsim.libraries.find import find_library

SETTINGS = ("MALLOC_", "TCMALLOC_", "MIMALLOC_", "LD_PRELOAD", "GLIBC_TUNABLES", "_RJEM_", "JE_")
"""Prefixes of the environment variables that select or configure a malloc library."""

TUNABLES = ("glibc.rtld.optional_static_tls=16384",)
"""Reserve room for the thread-local storage of jemalloc, which is loaded by dlopen: what glibc
reserves at startup for such libraries can be too little."""

TOP_PAD = "glibc.malloc.top_pad=268435456"
"""Make the glibc that serves Python take 256 MiB at a time from sbrk. tcmalloc takes memory from
sbrk too, and with small steps the memory of the two would interleave."""

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
"""Keep NumPy from starting threads: glibc's malloc is slower once a second thread has run."""

HOSTS = ("mimalloc", "jemalloc")
"""Libraries that can be the host, in order of preference. Neither uses sbrk, which glibc uses."""


def host_of(library: str) -> str | None:
    """Return the host when `library` is measured, or None if glibc serves Python."""
    if library != "glibc":
        return None
    return next((host for host in HOSTS if find_library(host)), None)


def child_environment(library: str | None, keep_settings: bool = False) -> Mapping[str, str]:
    """Return the environment of a process that measures `library`, or a design if that is None.

    With `keep_settings`, the user's malloc settings stay in it.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if keep_settings or not name.startswith(SETTINGS)
    }
    if library is None:
        return environment | ONE_THREAD
    # Not when glibc itself is measured: with TOP_PAD it would never release memory.
    tunables = TUNABLES if library == "glibc" else (*TUNABLES, TOP_PAD)
    kept = environment.get("GLIBC_TUNABLES")
    environment["GLIBC_TUNABLES"] = ":".join(filter(None, (*tunables, kept)))
    host = host_of(library)
    preloads = [environment.get("LD_PRELOAD"), find_library(host) if host else None]
    environment["LD_PRELOAD"] = ":".join(filter(None, preloads))
    return environment | ONE_THREAD
