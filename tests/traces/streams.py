"""Valid streams with all kinds of events, for tests of writers."""

import random
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from allocsim.events import Op, Trace
from tests.driving import Call, stream_of

LARGEST = 1 << 47
SIZES = (0, 1, 24, 4096, 100_000, LARGEST)


def trace_of(calls: Iterable[Call], chunk: int = 5, **known: Any) -> Trace:
    """The calls as a trace, in chunks of `chunk` calls."""
    events = stream_of(calls)
    chunks = (events[start : start + chunk] for start in range(0, len(events), chunk))
    return Trace("calls", chunks, {"kind": "trace", "file": "calls", "format": "test"}, **known)


def valid_calls(seed: int, count: int, freezes: bool = True) -> list[Call]:
    """Return random events of a valid trace: calls, ends of threads and, if `freezes`, Op.FREEZE.

    As in a trace that a reader makes, the id of the object that was freed last is reused first,
    threads are numbered in order of appearance, and no thread ends before its first call.
    """
    rng, live, spare = random.Random(seed), list[int](), list[int]()
    calls, threads, numbers = list[Call](), 0, 0
    for _ in range(count):
        thread = rng.randrange(min(threads + 1, 5))
        kind = rng.random()
        if kind < 0.05 and threads:
            note = Call(Op.FREEZE) if freezes and kind < 0.01 else Call(Op.THREAD_DONE)
            thread = rng.randrange(threads) if note.op == Op.THREAD_DONE else 0
            calls.append(Call(note.op, 0, 0, thread))
            continue
        threads = max(threads, thread + 1)
        if live and kind < 0.4:
            number = live.pop(rng.randrange(len(live)))
            spare.append(number)
            calls.append(Call(Op.FREE, number, 0, thread))
        elif live and kind < 0.55:
            calls.append(Call(Op.REALLOC, rng.choice(live), rng.choice(SIZES), thread))
        else:
            number, numbers = (spare.pop(), numbers) if spare else (numbers, numbers + 1)
            live.append(number)
            op = rng.choice((Op.MALLOC, Op.MALLOC, Op.CALLOC, Op.MEMALIGN))
            alignment = rng.choice((0, 3, 6, 12, 30)) if op == Op.MEMALIGN else 0
            calls.append(Call(op, number, rng.choice(SIZES), thread, alignment))
    return calls


streams = st.builds(valid_calls, st.integers(0, 1 << 32), st.integers(1, 80))
"""Streams of up to 80 events."""
