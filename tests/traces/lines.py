"""Recordings in memory, given by their lines, for the tests of text formats."""

from allocsim.events import Trace
from allocsim.traces.formats import format_named
from allocsim.traces.readers import FORMATS
from tests.traces.recordings import Event, read_bytes


def read_lines(form: str, *lines: str) -> tuple[list[Event], Trace]:
    """The events of these lines, and their trace."""
    content = "".join(f"{line}\n" for line in lines)
    return read_bytes(content.encode(), format_named(form, FORMATS))


def first_event(form: str, before: str, line: str) -> tuple[Event | None, dict[str, int]]:
    """Return the event of `line`, and counts of dropped calls; the line `before` has one event."""
    events, trace = read_lines(form, before, line)
    assert len(events) <= 2
    return (events[1] if len(events) == 2 else None), trace.dropped
