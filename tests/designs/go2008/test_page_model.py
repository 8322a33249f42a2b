"""go2008 agrees with `page_model` on random streams and on a recorded trace."""

import random
import zipfile
from collections.abc import Callable, Iterable
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.jit import PURE
from allocsim.core.records import Sample
from allocsim.core.tables import records
from allocsim.designs.go2008.records import Go2008
from allocsim.driver import Run, Stop
from allocsim.events import Op
from tests.conftest import RESERVE, SCALE
from tests.designs.go2008.page_model import SMALL, PageModel, object_size
from tests.driving import (
    Call,
    few_sizes,
    mixed_sizes,
    new_run,
    play,
    random_calls,
    stream_of,
)
from tests.traces.systemui import SYSTEMUI, needs_systemui


def large_sizes(rng: random.Random) -> int:
    """Sizes of 1 to 600 pages, around the lengths at which spans move to another list."""
    return 4096 * int(2 ** rng.uniform(3, 9.2)) - rng.randrange(4096)


def every_class(rng: random.Random) -> int:
    """Sizes of 0 to SMALL bytes; every size is equally likely."""
    return rng.randrange(SMALL + 1)


def natural_alignment(rng: random.Random, size: int) -> int:
    """Return log2 of an alignment that any object of `size` bytes has."""
    slot = object_size(size) if size < SMALL else 4096
    return rng.randrange(min(slot & -slot, 4096).bit_length())


STREAMS: dict[str, tuple[int, int, Callable[[random.Random], int]]] = {
    "mixed sizes, one thread": (300, 1, mixed_sizes),
    "mixed sizes, four threads": (300, 4, mixed_sizes),
    "few sizes, nine threads": (2000, 9, few_sizes),
    "large sizes, two threads": (60, 2, large_sizes),
    "every class, three threads": (500, 3, every_class),
}
"""Each random stream: number of objects, number of threads, and the function that draws sizes."""


def figures(state: Go2008, run: Run) -> dict[str, int]:
    """Return the figures of the heap under the model's names."""
    sample = records(Sample)
    operations.measure(state, int(run.driver[0].live), sample[0])
    return {name: int(sample[0][name]) for name in PageModel().figures()}


def assert_agreement(events: np.recarray, objects: int, checkpoints: Iterable[int]) -> PageModel:
    """Require that heap and model agree at each checkpoint; return the model."""
    model, run = PageModel(), new_run(objects=objects)
    with Heap(reserve=RESERVE) as heap:
        for begin, end in pairwise([0, *checkpoints]):
            assert play(heap.state, run, events[begin:end]) == (end - begin, Stop.END)
            for event in events[begin:end].tolist():
                model.play(*event)
            assert figures(heap.state, run) == model.figures(), f"after {end} events"
    return model


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("objects", "threads", "sizes"), STREAMS.values(), ids=STREAMS)
def test_heap_agrees_with_the_model_on_random_streams(
    seed: int, objects: int, threads: int, sizes: Callable[[random.Random], int]
) -> None:
    count = 500 * SCALE
    calls = random_calls(
        seed, count, objects=objects, threads=threads, sizes=sizes, alignments=natural_alignment
    )
    model = assert_agreement(stream_of(calls), objects, range(count // 10, count + 1, count // 10))
    assert model.grows > 1
    assert model.splits > 1


def read_systemui() -> Iterable[list[str]]:
    """Yield the words of each line of the trace: thread, call, address, arguments."""
    with zipfile.ZipFile(SYSTEMUI) as archive, archive.open("systemui.txt") as text:
        for line in text:
            yield line.decode().replace(":", "").split()


class Slots:
    """Object ids by address. The id of the most recently freed object is reused first."""

    def __init__(self) -> None:
        self.of: dict[str, int] = {}
        self.unused: list[int] = []
        self.count = 0

    def give(self, address: str) -> int:
        assert address not in self.of, f"{address} is live"
        if not self.unused:
            self.unused.append(self.count)
            self.count += 1
        self.of[address] = self.unused.pop()
        return self.of[address]

    def move(self, old: str, new: str) -> int:
        self.of[new] = self.of.pop(old)
        return self.of[new]

    def take(self, address: str) -> int:
        self.unused.append(self.of.pop(address))
        return self.unused[-1]


def call_of(words: list[str], slots: Slots, threads: dict[str, int]) -> Call | None:
    """Return the call in a line; None for a free of NULL and for the end of a thread."""
    name, op, address, *arguments = words
    if op == "thread_done" or (op == "free" and int(address, 16) == 0):
        return None
    thread = threads.setdefault(name, len(threads))
    if op == "free":
        return Call(Op.FREE, slots.take(address), 0, thread)
    if op == "realloc" and int(arguments[0], 16) != 0:
        return Call(Op.REALLOC, slots.move(arguments[0], address), int(arguments[1]), thread)
    number = slots.give(address)
    if op == "calloc":
        return Call(Op.CALLOC, number, int(arguments[0]) * int(arguments[1]), thread)
    if op == "memalign":
        exponent = int(arguments[0]).bit_length() - 1
        return Call(Op.MEMALIGN, number, int(arguments[1]), thread, exponent)
    return Call(Op.MALLOC, number, int(arguments[-1]), thread)


@cache
def systemui() -> tuple[np.recarray, int]:
    """Return the events of the trace, and the number of object ids."""
    slots, threads = Slots(), dict[str, int]()
    calls = [call_of(words, slots, threads) for words in read_systemui()]
    return stream_of(call for call in calls if call is not None), slots.count


ONE_CACHE = {"heap": 116_391_936, "grows": 111, "spans_total": 275, "refills": 179}
CACHE_PER_THREAD = {"heap": 709_885_952, "grows": 677, "spans_total": 4_234, "refills": 4_124}


@pytest.mark.skipif(PURE, reason="too long without compiled kernels")
@needs_systemui
@pytest.mark.parametrize(
    ("recorded", "expected"),
    [(False, ONE_CACHE), (True, CACHE_PER_THREAD)],
    ids=["one cache", "a cache for each thread"],
)
def test_recorded_trace_gives_the_known_figures(recorded: bool, expected: dict[str, int]) -> None:
    events, objects = systemui()
    events = events.copy()
    if not recorded:
        events.thread[:] = 0
    checkpoints = [*range(100_000, len(events), 100_000), len(events)]
    found = assert_agreement(events, objects, checkpoints).figures()
    assert {name: found[name] for name in expected} == expected
