"""A library whose functions do nothing, to measure the driver's own share of the time."""

from __future__ import annotations

import numpy as np

from allocsim.libraries.state import FUNCTIONS, Library, libc_address

_FUNCTION = "__errno_location"
"""A function of the C library that takes no argument and only returns an address: that of errno.
Every allocation returns this address, so the driver must not write to objects."""


def idle_library() -> Library:
    """Return a library whose functions all return the same address, which is not 0."""
    return Library(np.full(len(FUNCTIONS), libc_address(_FUNCTION), np.int64))
