"""Call kernels by hand and look at the results: an object, a sample, a list in memory."""

from collections.abc import Callable

import numpy as np

from allocsim.core import operations
from allocsim.core.raw import load_word
from allocsim.core.records import SAMPLE, HeapState, Record

Place = Callable[[HeapState], int]
"""Makes an address to try in a heap, and what is around it."""


def malloc(state: HeapState, size: int, thread: int = 0) -> int:
    """Call malloc for a thread."""
    return operations.malloc(state, thread, size)


def measured(state: HeapState, live: int = 0) -> Record:
    """Return a sample of the heap."""
    samples = np.zeros(1, SAMPLE).view(np.recarray)
    operations.measure(state, live, samples[0])
    return samples[0]


def chained(address: int) -> list[int]:
    """Return the addresses of a list of objects linked by their first words."""
    found: list[int] = []
    while address:
        found.append(int(address))
        address = load_word(address)
    return found
