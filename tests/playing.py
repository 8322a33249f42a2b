"""Helpers to replay events in tests: chunks, and traces made of them."""

from collections.abc import Iterator
from typing import Any

from allocsim.driver import Touch
from allocsim.events import Op, Trace, no_events
from allocsim.player import Options

QUIET = Options(touch=Touch.NONE)
"""Nothing is written to objects, nothing is checked."""


def trace_of(*chunks: Any, length: int | None = None) -> Trace:
    """Return a trace of chunks of events."""
    return Trace("test", iter(chunks), {"kind": "test"}, length)


def cut(events: Any, length: int) -> Iterator[Any]:
    """Split events into chunks of a length."""
    return (events[start : start + length] for start in range(0, len(events), length))


def toggling(count: int) -> Any:
    """Return `count` events that allocate and free one object in turn."""
    events = no_events(count)
    events.op[1::2] = Op.FREE
    events.request[0::2] = 8
    return events
