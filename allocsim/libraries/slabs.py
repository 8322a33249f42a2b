"""The slabs of jemalloc: each object's share of its slab."""

from __future__ import annotations

import ctypes

import numpy as np

from allocsim.libraries.counters import mallctl
from allocsim.libraries.load import LoadedLibrary

QUERY = b"experimental.utilization.batch_query"
"""The query for the free regions, all regions, and bytes of each pointer's slab (jemalloc 5.2 and
later)."""


def slab_shares(library: LoadedLibrary, address: np.ndarray) -> np.ndarray | None:
    """Return each object's share of its slab: the slab's bytes / its objects in use, as int64.

    Objects in a thread's cache count as in use. Returns None if the library does not report slabs,
    or if there are no objects.
    """
    if not (library.address("mallctl") or library.address("je_mallctl")) or not len(address):
        return None
    rows = np.zeros((len(address), 3), np.int64)
    size, addresses = ctypes.c_size_t(rows.nbytes), np.ascontiguousarray(address, np.int64)
    status = mallctl(library)(
        QUERY,
        ctypes.c_void_p(rows.ctypes.data),
        ctypes.byref(size),
        ctypes.c_void_p(addresses.ctypes.data),
        ctypes.c_size_t(addresses.nbytes),
    )
    if status != 0:
        return None
    free, regions, extent = rows.T
    shares: np.ndarray = extent // np.maximum(regions - free, 1)
    return shares
