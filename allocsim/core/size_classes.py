"""Size classes: the table of a design's classes, the waste of each, and a check of the mapping.

A design has two functions: one maps a request to its class, the other maps a class to its object
size. Fast code needs a closed form or a compact table for each direction, so the functions are
written separately and can disagree. `allocsim sizeclass-check` compares them for every size. When a
class has no free object, a refill carves a new span into objects of the class.

Invariant: class_of(n) is the smallest class whose objects hold n bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class ClassRow:
    """One row of the table, in bytes except for `size_class` and `objects`."""

    size_class: int
    object_size: int
    chunk: int
    """Bytes of the span that a refill carves."""
    objects: int
    """Number of objects that a refill carves."""
    tail: int
    """Bytes at the end of the span, too few for an object."""
    worst_waste: float
    """Largest share of a span, 0 to 1, that can be wasted while all its objects are in use. Wasted
    bytes are those that the program has not requested."""


@dataclass(frozen=True)
class SizeClasses:
    """The size classes of a design."""

    class_of: Callable[[int], int]
    object_size: Callable[[int], int]
    count: int
    chunk_of: Callable[[int], int]
    """Maps an object size to the bytes that a refill carves, not yet rounded up to pages."""
    page_size: int
    first: int = 0
    """Number of the first class."""

    def sizes(self) -> list[int]:
        """Return the object size of every class, in ascending order."""
        numbers = range(self.first, self.first + self.count)
        return [int(self.object_size(number)) for number in numbers]

    def rows(self) -> list[ClassRow]:
        """Return the table: every class with its refill and its waste."""
        sizes = self.sizes()
        pairs = zip([0, *sizes], sizes, strict=False)
        return [self._row(n, size, smaller) for n, (smaller, size) in enumerate(pairs, self.first)]

    def _row(self, size_class: int, size: int, smaller: int) -> ClassRow:
        chunk = -(-self.chunk_of(size) // self.page_size) * self.page_size
        objects = self.chunk_of(size) // size
        tail = chunk - objects * size
        worst = (tail + objects * (size - smaller - 1)) / chunk
        return ClassRow(size_class, size, chunk, objects, tail, worst)

    def mean_waste(self) -> float:
        """Return the wasted share of an object, 0 to 1, as the mean over all request sizes."""
        sizes = self.sizes()
        wasted = sum(
            (size - request) / size
            for smaller, size in zip([0, *sizes], sizes, strict=False)
            for request in range(smaller + 1, size + 1)
        )
        return wasted / sizes[-1]

    def mismatches(self, extra: int = 4096) -> Iterator[str]:
        """Yield a sentence for each disagreement between the two functions.

        Every size up to `extra` bytes above the largest class is tried. A size must map to the
        smallest class that holds it. A size above the largest class must map to no class of the
        table.
        """
        sizes = self.sizes()
        for size_class, (smaller, size) in enumerate(zip([0, *sizes], sizes, strict=False)):
            number = self.first + size_class
            if size <= smaller:
                yield f"class {number} ({size} bytes) is not larger than the class before it"
            if self.class_of(size) != number:
                yield f"class {number} holds {size} bytes, which map to class {self.class_of(size)}"
        expected, end = self.first, self.first + self.count
        for request in range(sizes[-1] + extra + 1):
            while expected < end and sizes[expected - self.first] < request:
                expected += 1
            mapped = int(self.class_of(request))
            if mapped != expected if expected < end else mapped < end:
                yield f"{request} bytes map to class {mapped}, expected {expected}"
