"""Call the replay kernel directly, with events made from calls or from random numbers."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from allocsim.core.records import HeapState, Sample
from allocsim.core.tables import records
from allocsim.driver import DRIVER, OBJECT, Run, Stop, replay
from allocsim.events import Op, no_events

NEVER = 1 << 62
"""More events or bytes than any test has."""


@dataclass(frozen=True)
class Call:
    """One event, whose fields are those of `Event`."""

    op: Op
    object: int = 0
    request: int = 0
    thread: int = 0
    alignment: int = 0


def malloc(object_: int, request: int, thread: int = 0) -> Call:
    """Return an allocation of the object."""
    return Call(Op.MALLOC, object_, request, thread)


def realloc(object_: int, request: int, thread: int = 0) -> Call:
    """Return a resizing of the object."""
    return Call(Op.REALLOC, object_, request, thread)


def free(object_: int, thread: int = 0) -> Call:
    """Return a free of the object."""
    return Call(Op.FREE, object_, 0, thread)


FREEZE = Call(Op.FREEZE)


def stream(*calls: Call) -> Any:
    """Return the calls as an array of events."""
    return stream_of(calls)


def stream_of(calls: Iterable[Call]) -> Any:
    """Return the calls as an array of events."""
    rows = [(c.request, c.object, c.thread, c.op, c.alignment) for c in calls]
    events = no_events(len(rows))
    events[:] = np.array(rows, events.dtype)
    return events


def live_after(calls: list[Call]) -> list[int]:
    """Return the live bytes after each call, as a plain sum."""
    sizes: dict[int, int] = {}
    live = list[int]()
    for call in calls:
        sizes[call.object] = 0 if call.op == Op.FREE else call.request
        live.append(sum(sizes.values()))
    return live


def new_run(*, objects: int = 64, samples: int = 100, **driver: int) -> Run:
    """Return a run with no limit, sample or check, unless `driver` sets one."""
    buffer, sample = records(Sample.dtype, samples), records(Sample.dtype)
    run = Run(records(DRIVER), records(OBJECT, objects), buffer, sample)
    fields = dict.fromkeys(("limit", "next_sample", "interval", "next_check"), NEVER) | driver
    for name, value in fields.items():
        run.driver[0][name] = value
    set_due(run)
    return run


def set_due(run: Run) -> None:
    """Set the number of events at which the next sample or check is due."""
    driver = run.driver[0]
    driver.due = min(driver.next_sample, driver.next_check)


def play(state: HeapState, run: Run, events: Any, start: int = 0) -> tuple[int, Stop]:
    """Replay events; return the index of the next event, and why the kernel stopped."""
    position = replay(state, run, events, start)
    return int(position), Stop(int(run.driver[0].stop))


def taken_samples(run: Run) -> np.ndarray:
    """Return the samples in the buffer and empty it."""
    taken = np.array(run.samples[: int(run.driver[0].samples)])
    run.driver[0].samples = 0
    return taken


Sizes = Callable[[random.Random], int]


def mixed_sizes(rng: random.Random) -> int:
    """Return a size of up to 1 MiB; half of the sizes are below 256 bytes."""
    return int(2 ** rng.uniform(0, 8 if rng.random() < 0.5 else 20))


def few_sizes(rng: random.Random) -> int:
    """Return one of ten sizes. With so few sizes, most freed objects are soon used again."""
    return rng.choice((0, 1, 8, 24, 100, 1000, 5000, 32767, 32768, 100_000))


def any_alignment(rng: random.Random, size: int) -> int:
    """Return the exponent of an alignment up to 32 KiB."""
    return rng.randrange(16)


def random_calls(
    seed: int,
    count: int,
    *,
    objects: int = 64,
    threads: int = 1,
    sizes: Sizes = mixed_sizes,
    alignments: Callable[[random.Random, int], int] = any_alignment,
) -> list[Call]:
    """Return a valid stream: each step allocates, resizes or frees a random object."""
    rng, live = random.Random(seed), set[int]()
    calls = []
    for _ in range(count):
        number, thread = rng.randrange(objects), rng.randrange(threads)
        if number not in live:
            op = rng.choices((Op.MALLOC, Op.CALLOC, Op.MEMALIGN), (8, 1, 1))[0]
            live.add(number)
        elif rng.random() < 0.2:
            op = Op.REALLOC
        else:
            op = Op.FREE
            live.remove(number)
        size = 0 if op == Op.FREE else sizes(rng)
        exponent = alignments(rng, size) if op == Op.MEMALIGN else 0
        calls.append(Call(op, number, size, thread, exponent))
    return calls
