"""Helpers for the tests of all generators: events in one array, validity, a digest."""

import hashlib
from itertools import islice
from typing import Any

import numpy as np

from allocsim.events import CHUNK, EVENT, Op, no_events
from allocsim.generators import Generator


def events_of(generator: Generator, limit: int = 1 << 62) -> Any:
    """Return events in one array: whole chunks, until there are at least `limit` events."""
    taken, chunks = 0, [no_events()]
    for chunk in generator.events():
        chunks.append(chunk.copy())
        taken += len(chunk)
        if taken >= limit:
            break
    return np.concatenate(chunks).view(np.recarray)


def digest(generator: Generator, count: int) -> str:
    """Return a digest of the first `count` events, field by field in a fixed byte order."""
    events = events_of(generator, count)[:count]
    assert len(events) == count
    content = b"".join(events[name].astype("<i8").tobytes() for name in EVENT.names or ())
    return hashlib.sha256(content).hexdigest()[:16]


def assert_valid(generator: Generator, limit: int = 1 << 62) -> Any:
    """Return the events; fail if one allocates a live object, or frees one that is not live."""
    events = events_of(generator, limit)
    live = set[int]()
    for place, (request, number, thread, op, alignment) in enumerate(events.tolist()):
        assert alignment == 0
        assert thread < getattr(generator, "threads", 2)
        if op == Op.MALLOC:
            assert number not in live, f"event {place} allocates object {number}, which is live"
            assert 0 <= request <= 1 << 47
            live.add(number)
        elif op == Op.FREE:
            assert number in live, f"event {place} frees object {number}, which is not live"
            assert request == 0
            live.remove(number)
        else:
            assert (op, request, number) == (Op.FREEZE, 0, 0)
    return events


def assert_deterministic(generator: Generator, other: Generator, limit: int = 1000) -> None:
    """Check that a generator repeats its events, and that those of `other` differ."""
    assert (events_of(generator, limit) == events_of(generator, limit)).all()
    ours, theirs = events_of(generator, limit)[:limit], events_of(other, limit)[:limit]
    assert len(ours) == len(theirs)
    assert (ours != theirs).any()


def chunk_lengths(generator: Generator, limit: int = 20) -> list[int]:
    """Return the lengths of the first chunks."""
    return [len(chunk) for chunk in islice(generator.events(), limit)]


def full_chunks(count: int) -> list[int]:
    """Return the lengths of chunks that are all full except the last."""
    return [CHUNK] * (count // CHUNK) + [count % CHUNK] * (count % CHUNK > 0)
