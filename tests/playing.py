"""What tests need to play traces: events, cut into chunks, as a trace."""

from collections.abc import Iterator
from typing import Any

from allocsim.driver import Touch
from allocsim.events import Op, Trace, no_events
from allocsim.player import Options

QUIET = Options(touch=Touch.NONE)
"""Events alone: no memory is touched, nothing is checked."""


def trace_of(*chunks: Any, length: int | None = None) -> Trace:
    """A trace of chunks of events."""
    return Trace("test", iter(chunks), {"kind": "test"}, length)


def cut(events: Any, length: int) -> Iterator[Any]:
    """Events in chunks of a length."""
    return (events[start : start + length] for start in range(0, len(events), length))


def toggling(count: int) -> Any:
    """One object that comes and goes: `count` events of one footprint."""
    events = no_events(count)
    events.op[1::2] = Op.FREE
    events.request[0::2] = 8
    return events
