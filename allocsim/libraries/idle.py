"""A library whose functions do nothing, to measure what the driver itself takes of an event."""

from __future__ import annotations

import ctypes

import numpy as np

from allocsim.libraries.state import FUNCTIONS, Library

_FUNCTION = "__errno_location"
"""A function of the C library that takes no argument, and returns the same address without work.
All events get this address, so nothing may be written to it."""


def idle_library() -> Library:
    """Return a library all of whose functions return at once, with an address that is not 0."""
    address = ctypes.cast(getattr(ctypes.CDLL(None), _FUNCTION), ctypes.c_void_p).value
    return Library(np.full(len(FUNCTIONS), address, np.int64))
