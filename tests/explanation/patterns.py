"""Allocation patterns for which the owners of the footprint can be computed by hand."""

from typing import Any

import numpy as np

from allocsim.events import Op, no_events
from allocsim.explanation.labels import Labels


def labels_of(names: list[str], group: np.ndarray) -> Labels:
    """Return labels for these groups, with a `match_of` that matches no call."""
    return Labels("site", names, group, lambda _: lambda calls, *_: np.zeros(len(calls), np.bool_))


def every_eighth() -> Any:
    """Return events of 80 objects of 1,000 bytes, of which every eighth stays live."""
    events = no_events(80 + 70)
    events.object[:80] = range(80)
    events.request[:80] = 1000
    events.object[80:] = [number for number in range(80) if number % 8]
    events.op[80:] = Op.FREE
    return events


def half_of_eight() -> Any:
    """Return events of 8 objects of 1,000 bytes, of which objects 0, 2, 4 and 6 stay live."""
    events = no_events(8 + 4)
    events.object[:8] = range(8)
    events.request[:8] = 1000
    events.object[8:] = (1, 3, 5, 7)
    events.op[8:] = Op.FREE
    return events


def every_twentieth(count: int = 200_000) -> Any:
    """Return events of `count` objects of 200 bytes, of which every twentieth stays live."""
    freed = [number for number in range(count) if number % 20]
    events = no_events(count + len(freed))
    events.object[:count] = range(count)
    events.request[:count] = 200
    events.object[count:] = freed
    events.op[count:] = Op.FREE
    return events


def two_owners(count: int = 100_000) -> Any:
    """Return events of two groups of `count` objects of 200 bytes.

    One twentieth of the first group stays live, and half of the second.
    """
    kept = [range(0, count, 20), range(count, 2 * count, 2)]
    freed = sorted({*range(2 * count)} - {*kept[0], *kept[1]})
    events = no_events(2 * count + len(freed))
    events.object[: 2 * count] = range(2 * count)
    events.request[: 2 * count] = 200
    events.object[2 * count :] = freed
    events.op[2 * count :] = Op.FREE
    return events
