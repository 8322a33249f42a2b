"""Rules for a table of size classes, for a design whose table can be replaced.

A table lists the object sizes of its classes, in ascending order. It does not list spans, because
the span of a class follows from the object size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from allocsim.errors import InputError
from allocsim.text import counted

Parameters = Mapping[str, int]
"""The checked parameters of a design."""


class ClassSpan(NamedTuple):
    """The span of a class, and its batch."""

    pages: int
    objects: int
    """Number of objects in a span."""
    batch: int
    """Objects moved at once between a thread cache and the spans; 1 if no batches exist."""


@dataclass(frozen=True)
class ClassRules:
    """The rules of a design for its table of size classes."""

    grid: tuple[int, ...]
    """The sizes in bytes that a class may have, in ascending order."""
    grid_text: str
    """A description of the grid, for error messages."""
    required: Mapping[int, str]
    """Sizes that must be classes, with the reason for each. The largest size of the grid is one of
    them."""
    max_classes: int
    page_size: int
    growth_step: int
    """Minimum growth of the heap in bytes. A smaller change of the footprint is insignificant."""
    span_of: Callable[[int, Parameters], ClassSpan]
    """Returns the span of a class of this size."""
    own: Callable[[Parameters], Sequence[int]]
    """Returns the sizes of the design's own table."""
    source: Callable[[Sequence[int], Parameters], str]
    """Returns a table as source text for the allocator that the design models."""
    max_request: int
    """Largest request in bytes that is served from a class."""
    aligned: bool = False
    """Whether memalign(a, n) is malloc(n rounded up to a), for `a` up to a page. If so, the size of
    every class that can serve such a request must be a multiple of `a` (see `misaligned`)."""

    def require_valid(self, sizes: Sequence[int]) -> None:
        """Raise InputError if the table breaks a rule; the message names the rule and the sizes."""
        on_grid = frozenset(self.grid)
        for size in sizes:
            if size not in on_grid:
                raise InputError(f"no class can have {size:,} bytes; expected {self.grid_text}")
        for smaller, larger in pairwise(sizes):
            if larger <= smaller:
                raise InputError(f"class sizes must ascend, but {larger:,} follows {smaller:,}")
        for size, reason in self.required.items():
            if size not in sizes:
                raise InputError(f"there must be a class of {size:,} bytes: {reason}")
        if len(sizes) > self.max_classes:
            raise InputError(f"{counted(len(sizes), 'class')}; expected at most {self.max_classes}")
        self._require_aligned(sizes)

    def _require_aligned(self, sizes: Sequence[int]) -> None:
        """Raise InputError if memalign could return a misaligned object."""
        for smaller, size in pairwise([0, *sizes] if self.aligned else ()):
            if (request := self.misaligned(smaller, size)) is not None:
                alignment = min(request & -request, self.page_size)
                raise InputError(
                    f"memalign({alignment}, {request}) would get a misaligned object of {size:,} "
                    f"bytes; there must be a class of {request:,} bytes"
                )

    def misaligned(self, smaller: int, size: int) -> int | None:
        """Return a request that would get a misaligned object of the class `size`, or None.

        `smaller` is the size of the next smaller class. All requests from smaller + 1 to `size` get
        an object of `size` bytes. Let 2^k be the largest power of two that divides `size`. The
        object is aligned to 2^k bytes, but perhaps not to 2^(k+1). A request that is a multiple of
        2^(k+1) may come from memalign with this alignment, if 2^(k+1) is at most a page.
        """
        power = size & -size
        if power >= self.page_size:
            return None
        request = size - power  # the largest multiple of 2^(k+1) up to `size`
        return request if request > smaller else None


def encoded(sizes: Sequence[int]) -> int:
    """Return a table as an integer with bit `size / 8` set for each class.

    The parameters of a design are integers, so a table must be one too. All sizes of classes are
    multiples of 8 bytes.
    """
    return sum(1 << (size >> 3) for size in sizes)


def decoded(table: int) -> tuple[int, ...]:
    """Return the sizes of an encoded table, in ascending order."""
    sizes = []
    while table:
        bit = table & -table
        sizes.append(bit.bit_length() - 1 << 3)
        table ^= bit
    return tuple(sizes)
