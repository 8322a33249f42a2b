"""Invariants: facts about a heap's records that hold after every call, checked in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from allocsim.core.memory import Reservation
from allocsim.core.records import HeapState
from allocsim.core.system import HasSystem
from allocsim.errors import InputError

Invariant = Callable[[HeapState, Reservation], Iterator[str]]
"""An invariant yields a sentence for each violation of the fact that its docstring states. It
changes neither the records nor the memory."""

MAX_VIOLATIONS = 20
"""Maximum number of violations reported per invariant: one wrong link often causes thousands."""


def violations(
    heap: HeapState,
    memory: Reservation,
    invariants: tuple[Invariant, ...],
    limit: int = MAX_VIOLATIONS,
) -> list[str]:
    """Return the violations found in `heap`, as sentences, at most `limit` of each invariant."""
    sentences: list[str] = []
    for invariant in invariants:
        result = invariant(heap, memory)
        if not isinstance(result, Iterable):
            raise InputError(
                f"the invariant {invariant.__name__} returned {result!r}; expected a generator of "
                "sentences (yield each violation)"
            )
        for count, sentence in enumerate(result):
            if count == limit:
                sentences.append(f"... and more of the same ({invariant.__name__})")
                break
            sentences.append(sentence)
    return sentences


def footprint_is_what_was_obtained(heap: HasSystem, _: Reservation) -> Iterator[str]:
    """The footprint is heap - released + metadata; all four are counted separately.

    This invariant is checked for every heap, so a design does not list it among its invariants.
    """
    system = heap.system[0]
    expected = system.heap - system.released + system.metadata
    if system.footprint != expected:
        yield (
            f"footprint counts {system.footprint} bytes, but heap {system.heap} - released "
            f"{system.released} + metadata {system.metadata} is {expected}"
        )
    if not 0 <= system.released <= system.heap or system.metadata < 0:
        yield (
            f"released is {system.released} bytes, expected 0 to {system.heap} (heap); metadata is "
            f"{system.metadata} bytes, expected 0 or more"
        )
