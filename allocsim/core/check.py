"""Invariants: what one is, and how all of a design are checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from allocsim.core.memory import Reservation
from allocsim.core.records import HeapState

Invariant = Callable[[HeapState, Reservation], Iterator[str]]
"""Yields a sentence for every violation of one fact."""


def violations(
    heap: HeapState, memory: Reservation, invariants: tuple[Invariant, ...], most: int = 20
) -> list[str]:
    """What does not hold of `heap`, as sentences, at most `most` for each invariant."""
    found: list[str] = []
    for invariant in invariants:
        for count, sentence in enumerate(invariant(heap, memory)):
            if count == most:
                found.append(f"... and more of the same ({invariant.__name__})")
                break
            found.append(sentence)
    return found
