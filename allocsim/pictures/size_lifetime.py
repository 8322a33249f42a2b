"""A picture of the bytes that live objects own, by the size and the lifetime of the objects.

The objects are those that are live at one moment of the workload. An object owns its bytes and a
share of the free bytes near it (see `explanation`). Its lifetime ends when it is freed, after that
moment. The colour of a cell shows a level, that is, a range of shares of the footprint.
"""

from __future__ import annotations

import numpy as np

from allocsim.explanation.evidence import Evidence
from allocsim.explanation.lives import NEVER
from allocsim.pictures.figure import Figure
from allocsim.pictures.matrix import Cell, Side, matrix
from allocsim.text import format_bytes

BOUNDS = (0.01, 0.05, 0.1, 0.25)
"""Shares of the footprint at which the second and the following levels begin."""

NAMES = ("under 1%", "1 to 5%", "5 to 10%", "10 to 25%", "over 25%")
"""The names of the levels in the legend."""

FOREVER = 99
"""Exponent of the lifetime of objects that are never freed (n in `owned_by_size_and_lifetime`). All
other exponents are smaller."""


def size_lifetime(evidence: Evidence) -> Figure:
    """Return the picture. The heap in `evidence` must have at least one live object."""
    owned = owned_by_size_and_lifetime(evidence)
    footprint = max(evidence.heap.footprint, 1)
    sizes = range(min(size for size, _ in owned), max(size for size, _ in owned) + 1)
    spans = sorted({span for _, span in owned}, reverse=True)
    cells = [
        Cell(
            size_name(size),
            life_name(span),
            int(np.searchsorted(BOUNDS, count / footprint, "right")),
            format_bytes(count),
        )
        for (size, span), count in owned.items()
    ]
    columns = Side("allocated size, up to", [size_name(size) for size in sizes])
    lives = Side(None, [life_name(span) for span in spans])
    return Figure(
        title="Size and lifetime of live objects",
        summary="Bytes that live objects own, pinned memory included, by the size of the object "
        "and by the number of events from its allocation to its free. Colour: share of the "
        "footprint.",
        view=lambda width: matrix(width, cells, columns, lives, NAMES),
        titles=("size", "lifetime in events", "owned"),
        rows=[
            [size_name(size), life_name(span), format_bytes(owned[size, span])]
            for size, span in sorted(owned, key=lambda each: -owned[each])
        ],
        left=(0, 1),
    )


def owned_by_size_and_lifetime(evidence: Evidence) -> dict[tuple[int, int], int]:
    """Return owned bytes by (s, n): 2**(s-1) < usable bytes <= 2**s, 4**n <= lifetime < 4**(n+1).

    The lifetime is in events, at least 1. n is FOREVER for objects that are not freed.
    """
    heap, shares, lives = evidence.heap, evidence.shares, evidence.lives
    owned = heap.usable + shares.pinned - shares.untouched
    size = np.frexp(np.maximum(heap.usable, 1) - 0.5)[1]
    freed = lives.freed[heap.number]
    lifetime = np.maximum(np.minimum(freed, NEVER) - lives.born[heap.number], 1)
    span = np.where(freed >= NEVER, FOREVER, (np.frexp(lifetime.astype(float))[1] - 1) // 2)
    pairs, index = np.unique(np.stack([size, span], 1), axis=0, return_inverse=True)
    sums = np.bincount(index.reshape(-1), owned).astype(np.int64).tolist()
    return {(size, span): count for (size, span), count in zip(pairs.tolist(), sums, strict=True)}


def size_name(power: int) -> str:
    """Return the name of sizes above 2**(power-1) and up to 2**power bytes."""
    return format_bytes(1 << power).replace(".0 ", " ")


def life_name(power: int) -> str:
    """Return the name of lifetimes from 4**power to 4**(power+1) - 1 events."""
    return "never freed" if power == FOREVER else f"up to {4 ** (power + 1) - 1:,}"
