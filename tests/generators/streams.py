"""What the tests of all generators need: events in one array, soundness, a digest."""

import hashlib
from itertools import islice
from typing import Any

import numpy as np

from allocsim.events import CHUNK, EVENT, Op, no_events
from allocsim.generators import Generator


def events_of(generator: Generator, most: int = 1 << 62) -> Any:
    """The events of a generator, at least `most` if there are so many, in one array."""
    taken, chunks = 0, [no_events()]
    for chunk in generator.events():
        chunks.append(chunk.copy())
        taken += len(chunk)
        if taken >= most:
            break
    return np.concatenate(chunks).view(np.recarray)


def digest(generator: Generator, count: int) -> str:
    """A digest of the first `count` events, field by field in a fixed byte order."""
    events = events_of(generator, count)[:count]
    assert len(events) == count
    content = b"".join(events[name].astype("<i8").tobytes() for name in EVENT.names or ())
    return hashlib.sha256(content).hexdigest()[:16]


def assert_sound(generator: Generator, most: int = 1 << 62) -> Any:
    """Only dead objects are allocated and only live ones freed; the events."""
    events = events_of(generator, most)
    live = set[int]()
    for place, (request, number, thread, op, alignment) in enumerate(events.tolist()):
        assert alignment == 0
        assert thread < getattr(generator, "threads", 2)
        if op == Op.MALLOC:
            assert number not in live, f"event {place} allocates object {number}, which lives"
            assert 0 <= request <= 1 << 47
            live.add(number)
        elif op == Op.FREE:
            assert number in live, f"event {place} frees object {number}, which is dead"
            assert request == 0
            live.remove(number)
        else:
            assert (op, request, number) == (Op.FREEZE, 0, 0)
    return events


def assert_deterministic(generator: Generator, other: Generator, most: int = 1000) -> None:
    """The same parameters give the same events, and those of `other`, another seed, differ."""
    assert (events_of(generator, most) == events_of(generator, most)).all()
    ours, theirs = events_of(generator, most)[:most], events_of(other, most)[:most]
    assert len(ours) == len(theirs)
    assert (ours != theirs).any()


def chunk_lengths(generator: Generator, most: int = 20) -> list[int]:
    """The lengths of the first chunks."""
    return [len(chunk) for chunk in islice(generator.events(), most)]


def full_chunks(count: int) -> list[int]:
    """The lengths of chunks that are full but for the last."""
    return [CHUNK] * (count // CHUNK) + [count % CHUNK] * (count % CHUNK > 0)
