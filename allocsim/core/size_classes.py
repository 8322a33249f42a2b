"""Size classes: from a request in bytes to a class, and from a class to the bytes of its objects.

Above `records`; used by the designs, which choose a policy, and by sizeclass-check, which proves
it. A policy is two closed forms, as kernels; `SizeClasses` lays them out as a table, and adds what
the table costs. Its one rule: class_of(n) is the smallest class whose objects hold n bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class ClassRow:
    """One class as a table shows it; bytes, but for `size_class` and `objects`."""

    size_class: int
    object_size: int
    chunk: int
    """Bytes of the span that one refill carves."""
    objects: int
    """Objects of one refill."""
    tail: int
    """Bytes at the end of the span that no object fits in."""
    worst_waste: float
    """The largest share of a full span that the program did not ask for, 0 to 1."""


@dataclass(frozen=True)
class SizeClasses:
    """A policy laid out: the closed forms, the table they make, and what it costs."""

    class_of: Callable[[int], int]
    object_size: Callable[[int], int]
    count: int
    chunk_of: Callable[[int], int]
    """Bytes that a refill of objects of a size takes, before rounding up to pages."""
    page_size: int
    first: int = 0
    """The number of the first class."""

    def sizes(self) -> list[int]:
        """The object size of every class, ascending."""
        numbers = range(self.first, self.first + self.count)
        return [int(self.object_size(number)) for number in numbers]

    def rows(self) -> list[ClassRow]:
        """Every class with its refill and its waste."""
        sizes = self.sizes()
        below = zip([0, *sizes], sizes, strict=False)
        return [self._row(n, size, under) for n, (under, size) in enumerate(below, self.first)]

    def _row(self, size_class: int, size: int, below: int) -> ClassRow:
        chunk = -(-self.chunk_of(size) // self.page_size) * self.page_size
        objects = self.chunk_of(size) // size
        tail = chunk - objects * size
        worst = (tail + objects * (size - below - 1)) / chunk
        return ClassRow(size_class, size, chunk, objects, tail, worst)

    def mean_waste(self) -> float:
        """Mean share of an object that was not asked for, all sizes up to the largest alike."""
        sizes = self.sizes()
        wasted = sum(
            (size - request) / size
            for below, size in zip([0, *sizes], sizes, strict=False)
            for request in range(below + 1, size + 1)
        )
        return wasted / sizes[-1]

    def mismatches(self, beyond: int = 4096) -> Iterator[str]:
        """Every disagreement of closed form and table, in both directions, as a sentence.

        Sizes from 0 to `beyond` bytes above the largest class are tried: below, each must map to
        the smallest class that holds it; above, to no class of the table.
        """
        sizes = self.sizes()
        for size_class, (below, size) in enumerate(zip([0, *sizes], sizes, strict=False)):
            number = self.first + size_class
            if size <= below:
                yield f"class {number} ({size} bytes) is not larger than the class before it"
            if self.class_of(size) != number:
                yield f"class {number} holds {size} bytes, which map to {self.class_of(size)}"
        expected, behind = self.first, self.first + self.count
        for request in range(sizes[-1] + beyond + 1):
            while expected < behind and sizes[expected - self.first] < request:
                expected += 1
            found = int(self.class_of(request))
            if found != expected if expected < behind else found < behind:
                yield f"{request} bytes map to class {found}, expected {expected}"
