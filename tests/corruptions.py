"""Corruptions of heaps. Each has the invariant that it violates, and the expected report."""

from collections.abc import Callable

from allocsim import Heap
from allocsim.core.check import Invariant, violations
from allocsim.core.memory import Reservation
from allocsim.core.records import HeapState

Corrupt = Callable[[HeapState, Reservation], object]

GARBAGE = (-(2**62), -1, 2**31, 2**62)
"""Numbers that are not a valid index in any table."""


class Corruptions:
    """Corruptions. Each has the invariant that it violates, and a part of the expected sentence."""

    def __init__(self, *parts: "Corruptions") -> None:
        self.all: list[tuple[Invariant, Corrupt, str]] = [one for part in parts for one in part.all]

    def breaks(self, invariant: Invariant, sentence: str) -> Callable[[Corrupt], Corrupt]:
        """Decorate a corruption; `invariant` must yield a sentence that contains `sentence`."""

        def register(corrupt: Corrupt) -> Corrupt:
            self.all.append((invariant, corrupt, sentence))
            return corrupt

        return register

    @property
    def names(self) -> list[str]:
        """Names of the corruptions."""
        return [corrupt.__name__ for _, corrupt, _ in self.all]

    @property
    def invariants(self) -> set[Invariant]:
        """Invariants for which a corruption exists."""
        return {invariant for invariant, _, _ in self.all}


def require_reported(heap: Heap, invariant: Invariant, corrupt: Corrupt, sentence: str) -> None:
    """Corrupt the heap and require that `invariant` yields `sentence`."""
    corrupt(heap.state, heap.memory)
    found = violations(heap.state, heap.memory, (invariant,))
    assert any(sentence in line for line in found), found


def invariants_in(module: object) -> set[Invariant]:
    """Return the invariants that a module defines."""
    taken = ["heap", "memory", "return"]
    found = [f for f in vars(module).values() if list(getattr(f, "__annotations__", ())) == taken]
    return {f for f in found if f.__module__ == module.__name__}  # type: ignore[attr-defined]
