"""Moments of a replay: the maximum of the footprint, of the live bytes and of their difference.

| name        | the moment |
|-------------|------------|
| `peak`      | the footprint first reached its peak |
| `live-peak` | the live bytes first reached their peak |
| `worst`     | footprint - live was largest (see `worst_of`) |
| `end`       | after the last event |
| `mean`      | not a moment, but the mean over all events |

`worst` uses the difference, not the ratio footprint / live, because the ratio grows without limit
when few bytes are live: at the start, and when a program frees everything at its end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from allocsim.errors import InputError
from allocsim.quantities import parse_count, parse_percent
from allocsim.recorded_times import event_at_time

NAMES = ("peak", "live-peak", "worst", "end", "mean")
"""The moments of a replay, in the order in which they are shown."""

EXPECTED = (
    "peak, live-peak, worst, end, a number of events, a share of the events (50%), or a time (3.5s)"
)
"""The moments that a user may give, as error messages list them."""

MIN_LIVE_SHARE = 20
"""The end can be `worst` only if its live bytes are at least the mean / MIN_LIVE_SHARE."""


@dataclass(frozen=True)
class Moment:
    """The figures of a moment. Sizes are in bytes; the sizes of `mean` are rounded down."""

    name: str
    """One of NAMES."""
    event: int | None
    """Events replayed before the moment; None for `mean`."""
    footprint: int
    live: int

    @property
    def waste(self) -> int:
        """Bytes of the footprint that are not live."""
        return self.footprint - self.live

    @property
    def overhead(self) -> float | None:
        """footprint / live. None if nothing is live."""
        return self.footprint / self.live if self.live else None

    def as_json(self) -> dict[str, Any]:
        """Return the moment as a dict, with the keys of the command line's JSON."""
        return {
            "name": self.name,
            "event": self.event,
            "footprint": self.footprint,
            "live": self.live,
            "overhead": self.overhead,
        }


def worst_of(up_to_last_allocation: Moment, end: Moment, mean: Moment) -> Moment:
    """Return the moment `worst`, at which footprint - live is largest.

    In a program that frees everything before it ends, the difference is largest at the end, which
    says little about the program. Therefore only moments up to the last allocation count. The end
    counts too if enough bytes are live then (see MIN_LIVE_SHARE).
    """
    end_counts = end.live * MIN_LIVE_SHARE >= mean.live and end.live > 0
    worst = end if end_counts and end.waste > up_to_last_allocation.waste else up_to_last_allocation
    return Moment("worst", worst.event, worst.footprint, worst.live)


class Share(float):
    """A moment given as a share of all events, from 0 to 1."""

    def __str__(self) -> str:
        return f"{float(self):.1%}"


class Seconds(float):
    """A moment given as a time, in seconds since the first call of the recording."""

    def __str__(self) -> str:
        return f"{float(self):g} s"


Choice: TypeAlias = str | int | Share | Seconds
"""A moment as users name it: one of NAMES, a number of events, a share of the events, or a time."""

_TIME = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(s|ms)")


def parse_moment(text: str) -> Choice:
    """Parse a moment: one of NAMES, a number of events ("1e6"), a share of the events, or a time.

    A share is written "50%", and a time "3.5s" or "200ms". Raises InputError for other text.
    """
    if text in NAMES:
        return text
    if text.endswith("%"):
        return Share(parse_percent(text, 100))
    if time := _TIME.fullmatch(text):
        return Seconds(float(time[1]) / (1000 if time[2] == "ms" else 1))
    number = parse_count(text)
    if number is None or number < 0:
        raise InputError(f"invalid moment '{text}'; expected {EXPECTED}")
    return number


def event_at(
    moments: tuple[Moment, ...], chosen: Choice, times: Sequence[tuple[int, int]] = ()
) -> int:
    """Return the number of events before the moment `chosen`.

    `times` has the times of the recording (see `Trace.times`). Raises InputError for the mean, for
    a number above the number of all events, and for a time if `times` is empty or ends earlier.
    """
    events = {moment.name: moment.event for moment in moments}
    last = events["end"] or 0
    if isinstance(chosen, str):
        event = events[chosen]
    elif isinstance(chosen, Seconds):
        return min(event_at_time(times, chosen), last)
    else:
        event = int(chosen * last) if isinstance(chosen, Share) else chosen
    if event is None:
        raise InputError(f"the mean is not a single moment; expected {EXPECTED}")
    if event > last:
        raise InputError(f"event {event} is after the last one, {last}")
    return event


def grouped(moments: tuple[Moment, ...]) -> list[tuple[str, Moment]]:
    """Return (names, moment) for each row of a table. Moments of the same event share a row."""
    rows: dict[int | None, list[Moment]] = {}
    for moment in moments:
        rows.setdefault(moment.event, []).append(moment)
    return [(", ".join(each.name for each in same), same[0]) for same in rows.values()]
