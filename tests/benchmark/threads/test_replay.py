"""Replays on real threads: the order of the calls, their threads, contents of objects, failures."""

import ctypes
import threading
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from allocsim.benchmark.meter import open_meter
from allocsim.benchmark.stepping import count_objects, new_run, steps_ending_at
from allocsim.benchmark.threads.plan import ORDERED, make_plan
from allocsim.benchmark.threads.replay import Options, ThreadedReplay
from allocsim.benchmark.threads.stacks import STACK, Stacks
from allocsim.benchmark.threads.survey import survey
from allocsim.core.jit import PURE
from allocsim.driver import Touch
from allocsim.errors import Corruption, EnvironmentLacks
from allocsim.events import Op
from allocsim.libraries.load import load
from tests.benchmark.threads.workloads import (
    mapped,
    owners,
    pool,
    queue,
    random_threads,
    real_calls,
)
from tests.driving import Call, malloc, realloc

compiled_only = pytest.mark.skipif(PURE, reason="threads are replayed by compiled code only")

C_LIBRARY = ctypes.CDLL(None)
C_LIBRARY.malloc.restype = C_LIBRARY.realloc.restype = ctypes.c_void_p
C_LIBRARY.calloc.restype = C_LIBRARY.memalign.restype = ctypes.c_void_p


def prepared(calls: list[Call], window: int = ORDERED, steps: Any = (), **options: Any) -> Any:
    """Return a replay of the calls, and its steps (see `benchmark.stepping`)."""
    events, ends = mapped(calls), steps_ending_at(list(steps))
    objects = count_objects(events)
    plan = make_plan(events, survey(events, objects), objects, ends, window)
    return ThreadedReplay(plan, ends, open_meter(), Options(Touch.PAGE, **options)), ends


class Witness:
    """A library in Python, which notes the OS thread and the size of each call."""

    def __init__(self, allocate: Callable[[int], int]) -> None:
        word = ctypes.c_int64
        self.seen: list[tuple[int, str, int]] = []
        self.allocate = allocate
        one, two = ctypes.CFUNCTYPE(word, word), ctypes.CFUNCTYPE(word, word, word)
        self._kept = [one(self.malloc), one(self.free), *map(two, (self.realloc, self.calloc))]
        addresses = [ctypes.cast(each, ctypes.c_void_p).value or 0 for each in self._kept]
        self.function = np.array([*addresses, 0], np.int64)

    def note(self, name: str, size: int) -> None:
        """Note the calling thread and the size of a call."""
        self.seen.append((threading.get_native_id(), name, size))

    def malloc(self, size: int) -> int:
        """Note the call and allocate."""
        self.note("malloc", size)
        return self.allocate(size)

    def calloc(self, count: int, size: int) -> int:
        """Note the call and call the C library's calloc."""
        self.note("calloc", size)
        return int(C_LIBRARY.calloc(count, size))

    def realloc(self, address: int, size: int) -> int:
        """Note the call and call the C library's realloc."""
        self.note("realloc", size)
        return int(C_LIBRARY.realloc(ctypes.c_void_p(address), max(size, 1)))

    def free(self, address: int) -> int:
        """Note the call and call the C library's free."""
        self.note("free", 0)
        C_LIBRARY.free(ctypes.c_void_p(address))
        return 0


def allocate(size: int) -> int:
    """Call the C library's malloc."""
    return int(C_LIBRARY.malloc(max(size, 1)))


def threads_of_process() -> int:
    """Return the number of threads of this process."""
    return len(list(Path("/proc/self/task").iterdir()))


@compiled_only
@pytest.mark.parametrize("seed", range(3))
def test_each_call_is_made_in_order_on_a_thread_of_its_own(seed: int) -> None:
    calls, witness = random_threads(seed, 400, 6), Witness(allocate)
    replay, _ = prepared(calls)
    replay.replay(witness.function)
    replay.end_threads()
    expected = [(call.op.name.lower(), call.request) for call in real_calls(calls)]
    assert [(name, size) for _, name, size in witness.seen] == expected
    # Ids of OS threads are reused, so only the positions where the thread changes are compared.
    runs = [len(list(run)) for _, run in groupby(owners(calls))]
    assert [len(list(run)) for _, run in groupby(each[0] for each in witness.seen)] == runs
    assert threading.get_native_id() not in {each[0] for each in witness.seen}


@compiled_only
@pytest.mark.parametrize("timed", [False, True])
def test_threads_have_stacks_of_the_c_library_only_if_time_is_measured(timed: bool) -> None:
    addresses: list[int] = []  # a pthread_t is an address at the top of the thread's stack

    def allocate_here(size: int) -> int:
        addresses.append(threading.get_ident())
        return allocate(size)

    witness = Witness(allocate_here)
    replay, _ = prepared(random_threads(1, 400, 6), timed=timed)
    replay.replay(witness.function)
    replay.end_threads()
    assert len(set(addresses)) > 1
    assert (max(addresses) - min(addresses) >= replay.at_once * STACK) == timed


@compiled_only
@pytest.mark.parametrize("timed", [False, True])
def test_stacks_are_mapped_only_if_the_threads_use_them(
    timed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapped_stacks: list[int] = []

    class Counted(Stacks):
        def __init__(self, count: int) -> None:
            mapped_stacks.append(count)
            super().__init__(count)

    monkeypatch.setattr("allocsim.benchmark.threads.replay.Stacks", Counted)
    replay, _ = prepared(random_threads(1, 400, 6), timed=timed)
    assert mapped_stacks == ([] if timed else [replay.at_once])


@compiled_only
@pytest.mark.parametrize("window", [ORDERED, 1, 50, 10_000])
@pytest.mark.parametrize(
    "calls", [random_threads(7, 5000, 8), queue(2000), pool(40, 50)], ids=["mixed", "queue", "pool"]
)
def test_objects_keep_their_contents(calls: list[Call], window: int) -> None:
    replay, _ = prepared(calls, window, verify=True)
    before = threads_of_process()
    for _ in range(2):
        replay.replay(load("glibc").state.function)
        replay.end_threads()
        replay.hand_over(new_run(count_objects(mapped(calls)), Touch.NONE))
    checks = sum({Op.FREE: 1, Op.REALLOC: 2}.get(call.op, 0) for call in calls)
    assert replay.patterns == 2 * checks
    assert threads_of_process() == before


@compiled_only
def test_live_objects_are_handed_over() -> None:
    calls, run = random_threads(3, 500, 4), new_run(500, Touch.NONE)
    replay, _ = prepared(calls)
    replay.replay(load("glibc").state.function)
    replay.end_threads()
    replay.hand_over(run)
    requests: dict[int, int] = {}
    for call in real_calls(calls):
        requests[call.object] = call.request
        if call.op == Op.FREE:
            del requests[call.object]
    numbers = np.flatnonzero(run.objects.address).tolist()
    assert {number: int(run.objects.request[number]) for number in numbers} == requests
    assert run.driver[0].live == sum(requests.values())
    assert len({*run.objects.address[numbers].tolist()}) == len(numbers)


@compiled_only
def test_object_with_version_0_is_handed_over() -> None:
    """The version of an object that has been resized 65,535 times is 0 again."""
    resized = [realloc(0, 100 + number % 2, number % 2) for number in range(65_535)]
    replay, run = prepared([malloc(0, 100), *resized])[0], new_run(1, Touch.NONE)
    replay.replay(load("glibc").state.function)
    replay.end_threads()
    replay.hand_over(run)
    assert run.driver[0].live == resized[-1].request
    assert run.objects.address[0] != 0


@compiled_only
def test_memory_is_read_at_each_step() -> None:
    size = 33 << 20  # glibc always maps such an object; a smaller one may get memory that was freed
    replay, steps = prepared([malloc(number, size, number) for number in range(3)], steps=[1, 2, 3])
    replay.replay(load("glibc").state.function)
    replay.end_threads()
    assert (np.diff(steps.resident) >= size).all()


@compiled_only
def test_failed_call_stops_the_replay() -> None:
    witness = Witness(lambda size: 0 if size == 77 else allocate(size))
    calls = [malloc(0, 1), malloc(1, 1, 1), malloc(2, 77, 1), malloc(3, 1)]
    replay, _ = prepared(calls)
    with pytest.raises(Corruption, match="stopped on thread 1: the allocator is out of memory"):
        replay.replay(witness.function)
    replay.end_threads()
    assert [size for _, _, size in witness.seen] == [1, 1, 77]


@compiled_only
def test_time_is_that_of_the_turns() -> None:
    replay, _ = prepared(random_threads(5, 5000, 4), 500, timed=True)
    replay.replay(load("glibc").state.function)
    replay.end_threads()
    assert replay.processor_time > 0


@pytest.mark.skipif(not PURE, reason="only pure mode cannot replay threads")
def test_pure_mode_says_that_it_cannot_replay_threads() -> None:
    with pytest.raises(EnvironmentLacks, match="NUMBA_DISABLE_JIT"):
        prepared([malloc(0, 1)])
