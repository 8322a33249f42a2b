"""Helpers that call the operations of a heap and read the results."""

from collections.abc import Callable

from allocsim.core import operations
from allocsim.core.raw import load_word
from allocsim.core.records import HeapState, Sample
from allocsim.core.tables import records

Place = Callable[[HeapState], int]
"""Returns an address to test, given the state of a heap."""


def malloc(state: HeapState, size: int, thread: int = 0) -> int:
    """Call malloc for a thread."""
    return operations.malloc(state, thread, size)


def measured(state: HeapState, live: int = 0) -> Sample:
    """Return a sample of the heap."""
    samples = records(Sample)
    operations.measure(state, live, samples[0])
    return samples[0]


def chained(address: int) -> list[int]:
    """Return the addresses of a list of objects linked by their first words."""
    found: list[int] = []
    while address:
        found.append(int(address))
        address = load_word(address)
    return found
