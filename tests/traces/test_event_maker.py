"""Chunks of events: a chunk stays as it is until the maker has made `buffers` more."""

from allocsim.events import Op
from allocsim.traces.calls import no_calls
from allocsim.traces.event_maker import EventMaker


def call(op: Op, address: int) -> object:
    """A batch of one call."""
    calls = no_calls(1)
    calls.op, calls.address = op, address
    return calls


def test_batch_without_events_uses_no_chunk() -> None:
    maker = EventMaker("trace", buffers=2)
    (first,) = maker.events(call(Op.MALLOC, 0x10))
    assert [*maker.events(call(Op.FREE, 0x90))] == []  # of an unknown object
    (second,) = maker.events(call(Op.MALLOC, 0x20))
    assert [int(chunk[0].object) for chunk in (first, second)] == [0, 1]
