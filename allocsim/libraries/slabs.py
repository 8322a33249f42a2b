"""The slabs of jemalloc: each object's share of its slab.

A slab is a run of pages that jemalloc divides into regions of equal size. Each small object
occupies one region.
"""

from __future__ import annotations

import ctypes

import numpy as np

from allocsim.libraries.counters import mallctl
from allocsim.libraries.load import LoadedLibrary

QUERY = b"experimental.utilization.batch_query"
"""The query that returns three numbers for each pointer: the free regions of its slab, all regions
of the slab, and the size of the slab in bytes (jemalloc 5.2 and later)."""


def slab_shares(library: LoadedLibrary, address: np.ndarray) -> np.ndarray | None:
    """Return each object's share of its slab in bytes, as int64.

    The share is the slab's size divided by the number of the slab's objects in use. Objects in a
    thread's cache count as in use. Returns None if the library does not report slabs, or if there
    are no objects.
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
