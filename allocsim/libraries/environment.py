"""What surrounds a subject: the environment of its process, and whose malloc Python uses there.

Below the process that starts a child, beside `library`. Settings of the user's for any malloc are
taken out, so that a figure means the library as it comes. Its one rule: the library that is
measured serves the driver alone, and Python around it is served by another.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from allocsim.libraries.find import find_library

SETTINGS = ("MALLOC_", "TCMALLOC_", "MIMALLOC_", "LD_PRELOAD", "GLIBC_TUNABLES", "_RJEM_", "JE_")
"""What the names of settings begin with that change a malloc library."""

TUNABLES = ("glibc.rtld.optional_static_tls=16384",)
"""jemalloc is loaded late: it needs room for its thread-local storage."""

TOP_PAD = "glibc.malloc.top_pad=268435456"
"""For tcmalloc, which grows by sbrk as Python's glibc does: Python takes its share at once."""

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
"""glibc's malloc is slower once a second thread has run; NumPy would start some."""

HOSTS = ("mimalloc", "jemalloc")
"""Libraries that can serve Python instead of glibc, the better ones first: neither uses sbrk."""


def host_of(library: str) -> str | None:
    """The library that serves Python in the child of `library`; None: glibc, as always."""
    if library != "glibc":
        return None
    return next((host for host in HOSTS if find_library(host)), None)


def child_environment(library: str | None, keep_settings: bool = False) -> Mapping[str, str]:
    """The environment for the child of a library, or of a design (None)."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if keep_settings or not name.startswith(SETTINGS)
    }
    if library is None:
        return environment | ONE_THREAD
    # top_pad would keep glibc itself from ever giving memory back.
    tunables = TUNABLES if library == "glibc" else (*TUNABLES, TOP_PAD)
    asked = environment.get("GLIBC_TUNABLES")
    environment["GLIBC_TUNABLES"] = ":".join(filter(None, (*tunables, asked)))
    host = host_of(library)
    preloads = [environment.get("LD_PRELOAD"), find_library(host) if host else None]
    environment["LD_PRELOAD"] = ":".join(filter(None, preloads))
    return environment | ONE_THREAD
