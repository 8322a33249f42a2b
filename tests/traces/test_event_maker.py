"""Chunks of events: a chunk is unchanged until the maker has made `buffers` further chunks."""

from allocsim.call_sites.numbers import CallSites
from allocsim.events import Op
from allocsim.traces.calls import no_calls
from allocsim.traces.event_maker import EventMaker


def call(op: Op, address: int) -> object:
    """Return a batch of one call."""
    calls = no_calls(1)
    calls.op, calls.address = op, address
    return calls


def test_batch_without_events_uses_no_chunk() -> None:
    maker = EventMaker("trace", buffers=2)
    (first,) = maker.events(call(Op.MALLOC, 0x10))
    assert [*maker.events(call(Op.FREE, 0x90))] == []  # the object is unknown
    (second,) = maker.events(call(Op.MALLOC, 0x20))
    assert [int(chunk[0].object) for chunk in (first, second)] == [0, 1]


def test_every_event_that_allocates_has_the_site_of_its_call() -> None:
    rows = [
        (Op.MALLOC, 16, 0, 1),
        (Op.MALLOC, 0, 0, 2),  # a call that failed
        (Op.MALLOC, 16, 0, 3),  # an overlap: two events, and one of them allocates
        (Op.REALLOC, 32, 16, 4),
        (Op.FREE, 32, 0, 5),
        (Op.REALLOC, 64, 48, 6),  # the old object is unknown
        (Op.REALLOC, 0, 64, 7),  # a call that failed: it returned 0, but requested 9 bytes
        (Op.CALLOC, 80, 0, 8),
    ]
    calls = no_calls(len(rows))
    for call, (op, address, old, site) in zip(calls, rows, strict=True):
        call.op, call.address, call.old, call.site, call.request = op, address, old, site, 9
    sites = CallSites()
    maker = EventMaker("it", sites=sites)
    found = [(sites.of(chunk).tolist(), chunk.op.tolist()) for chunk in maker.events(calls)]
    assert found == [
        (
            [1, 0, 3, 4, 0, 6, 8],
            [Op.MALLOC, Op.FREE, Op.MALLOC, Op.REALLOC, Op.FREE, Op.MALLOC, Op.CALLOC],
        )
    ]
