"""Calling a heap's kernels by hand, and what they leave: an object, a sample, a chain in memory."""

from collections.abc import Callable

import numpy as np

from allocsim.core import operations
from allocsim.core.raw import load_word
from allocsim.core.records import SAMPLE, HeapState, Record

Place = Callable[[HeapState], int]
"""An address to try, once what lies around it is made."""


def malloc(state: HeapState, size: int, thread: int = 0) -> int:
    """malloc by a thread."""
    return operations.malloc(state, thread, size)


def measured(state: HeapState, live: int = 0) -> Record:
    """A sample of the heap."""
    samples = np.zeros(1, SAMPLE).view(np.recarray)
    operations.measure(state, live, samples[0])
    return samples[0]


def chained(address: int) -> list[int]:
    """The addresses of a chain of objects."""
    found: list[int] = []
    while address:
        found.append(int(address))
        address = load_word(address)
    return found
