"""How the tests of invariants write down what they spoil, and what must be said of it."""

from collections.abc import Callable

from allocsim.core.check import Invariant
from allocsim.core.memory import Reservation
from allocsim.core.records import HeapState

Corrupt = Callable[[HeapState, Reservation], object]


class Corruptions:
    """Corruptions, each with the invariant that speaks then and a part of its sentence."""

    def __init__(self) -> None:
        self.all: list[tuple[Invariant, Corrupt, str]] = []

    def speaks(self, invariant: Invariant, sentence: str) -> Callable[[Corrupt], Corrupt]:
        """Decorate a corruption that makes `invariant` say `sentence`."""

        def register(corrupt: Corrupt) -> Corrupt:
            self.all.append((invariant, corrupt, sentence))
            return corrupt

        return register

    @property
    def names(self) -> list[str]:
        """The names of the corruptions."""
        return [corrupt.__name__ for _, corrupt, _ in self.all]

    @property
    def invariants(self) -> set[Invariant]:
        """The invariants that some corruption makes speak."""
        return {invariant for invariant, _, _ in self.all}


def invariants_in(module: object) -> set[Invariant]:
    """The invariants that a module defines."""
    taken = ["heap", "memory", "return"]
    found = [f for f in vars(module).values() if list(getattr(f, "__annotations__", ())) == taken]
    return {f for f in found if f.__module__ == module.__name__}  # type: ignore[attr-defined]
