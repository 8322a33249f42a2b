"""Moments of a replay: when the footprint, the live bytes or their difference had their maximum.

| name        | the moment |
|-------------|------------|
| `peak`      | the footprint first reached its peak |
| `live-peak` | the live bytes first reached theirs |
| `worst`     | the difference footprint - live was largest, see `worst_of` |
| `end`       | after the last event |
| `mean`      | no moment: the mean over all events |

The difference decides and not the ratio, which has no limit at the start and while a program frees
everything at its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from allocsim.errors import InputError
from allocsim.text import parse_count

NAMES = ("peak", "live-peak", "worst", "end", "mean")
"""The moments of a replay, in the order in which they are shown."""

MIN_LIVE_SHARE = 20
"""`worst` may be the end if live there is at least the mean of live divided by this."""


@dataclass(frozen=True)
class Moment:
    """The figures of a moment. Bytes are integers, except those of `mean`, which are rounded."""

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
        """footprint / live; None if nothing is live."""
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
    """Return the moment with the largest difference of footprint and live bytes, as `worst`.

    A program that frees everything before it ends has its largest difference then, which says
    little about it. So only moments up to the last allocation count. The end counts too if the
    program still holds a share of what it held on average (MIN_LIVE_SHARE).
    """
    holds = end.live * MIN_LIVE_SHARE >= mean.live and end.live > 0
    worst = end if holds and end.waste > up_to_last_allocation.waste else up_to_last_allocation
    return Moment("worst", worst.event, worst.footprint, worst.live)


def parse_moment(text: str) -> str | int:
    """Return one of NAMES, or a number of events; raise InputError for any other text."""
    if text in NAMES:
        return text
    number = parse_count(text)
    if number is None or number < 0:
        raise InputError(
            f"invalid moment '{text}'; expected {', '.join(NAMES)} or a number of events"
        )
    return number


def event_at(moments: tuple[Moment, ...], chosen: str | int) -> int:
    """Return the number of events replayed at a moment, given as `parse_moment` returns it.

    Raises InputError for the mean, and for a number above that of all events.
    """
    events = {moment.name: moment.event for moment in moments}
    event = events[chosen] if isinstance(chosen, str) else chosen
    if event is None:
        raise InputError("the mean is no single moment; choose peak, live-peak, worst, end or N")
    if event > (events["end"] or 0):
        raise InputError(f"event {event} is after the last one, {events['end']}")
    return event


def grouped(moments: tuple[Moment, ...]) -> list[tuple[str, Moment]]:
    """Return (names, moment) for a table in which moments of the same event share a row."""
    rows: dict[int | None, list[Moment]] = {}
    for moment in moments:
        rows.setdefault(moment.event, []).append(moment)
    return [(", ".join(each.name for each in same), same[0]) for same in rows.values()]
