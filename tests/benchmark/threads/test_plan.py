"""A replay of a plan makes the recorded calls, in whatever order the threads are scheduled.

A slow model replays plans with random schedules.
"""

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from allocsim.benchmark.threads.plan import ORDERED, Plan
from allocsim.benchmark.threads.records import SHARED
from allocsim.core.jit import PURE
from allocsim.events import Op
from tests.benchmark.threads.workloads import (
    done,
    epochs_of,
    owners,
    plan_of,
    pool,
    positions,
    queue,
    random_threads,
    real_calls,
)
from tests.driving import Call, free, live_after, malloc, realloc

each_seed = pytest.mark.parametrize("seed", range(3))
each_window = pytest.mark.parametrize("window", [ORDERED, 1, 7, 10_000])


@dataclass
class Model:
    """Replays a plan. The model's slots hold the recorded object ids, which the plan lacks."""

    plan: Plan
    calls: list[Call]
    own: dict[int, int] = field(default_factory=dict)
    shared: dict[int, tuple[int, int]] = field(default_factory=dict)
    """For each slot: the object id and the version."""
    replayed: list[int] = field(default_factory=list)
    """Indices of the calls, in the order in which they were replayed."""

    def __post_init__(self) -> None:
        threads = owners(self.calls)
        self.indices = {thread: list[int]() for thread in threads}
        for index, thread in enumerate(threads):
            self.indices[thread].append(index)
        self.begins = positions(self.plan)
        self.at = dict(self.begins)
        self.recorded = real_calls(self.calls)

    def replay(self, rng: random.Random) -> None:
        """Replay all epochs. Each event is the next one of a random thread that is ready."""
        for turns in epochs_of(self.plan):
            left = {int(turn.thread): int(turn.end) for turn in turns}
            while left:
                ready = [it for it in left if self.at[it] == left[it] or self.is_ready(it)]
                assert ready, "every thread is waiting for another"
                thread = rng.choice(ready)
                if self.at[thread] == left[thread]:
                    del left[thread]
                else:
                    self.step(thread)

    def is_ready(self, thread: int) -> bool:
        """Return whether the thread's next event need not wait."""
        event = self.plan.stream[self.at[thread]]
        if event.object < SHARED or event.op < Op.REALLOC:
            return True
        return self.shared.get(int(event.object), (0, 0))[1] == event.thread

    def step(self, thread: int) -> None:
        """Replay a thread's next event, and compare it with the recording."""
        event = self.plan.stream[self.at[thread]]
        index = self.indices[thread][self.at[thread] - self.begins[thread]]
        call, slot = self.recorded[index], int(event.object)
        assert (event.op, event.request, event.alignment) == (call.op, call.request, call.alignment)
        if slot >= SHARED:
            self.use(self.shared, slot, event, (call.object, int(event.thread) + 1), call.object)
        else:
            self.use(self.own, slot, event, call.object, call.object)
        self.at[thread] += 1
        self.replayed.append(index)

    def use(self, slots: dict[int, Any], slot: int, event: Any, content: Any, number: int) -> None:
        """Use a slot: an allocation fills it, and a free or a realloc finds its object."""
        if event.op >= Op.REALLOC:
            found = slots.pop(slot)
            assert (found[0] if isinstance(found, tuple) else found) == number
        else:
            assert slot not in slots
        if event.op != Op.FREE:
            slots[slot] = content


def replayed(calls: list[Call], window: int, seed: int = 0) -> list[int]:
    """Replay the plan of calls; return the order in which the calls were replayed."""
    model = Model(plan_of(calls, window), calls)
    model.replay(random.Random(seed))
    return model.replayed


@each_window
@each_seed
def test_every_call_finds_its_object_whatever_the_schedule(seed: int, window: int) -> None:
    calls = random_threads(seed, 300, 1 + 3 * seed)
    order = replayed(calls, window, seed)
    assert sorted(order) == list(range(len(real_calls(calls))))


@each_seed
def test_ordered_replay_keeps_the_recorded_order(seed: int) -> None:
    calls = random_threads(seed, 300, 6)
    assert replayed(calls, ORDERED) == list(range(len(real_calls(calls))))


@pytest.mark.parametrize("calls", [queue(100), pool(5, 20)], ids=["queue", "pool"])
@each_window
def test_common_workloads_are_replayed_completely(calls: list[Call], window: int) -> None:
    assert len(replayed(calls, window)) == len(real_calls(calls))


@each_seed
def test_windows_keep_the_order_between_them(seed: int) -> None:
    calls = random_threads(seed, 500, 4)
    order = replayed(calls, 50, seed)
    numbers = [0 if index == 0 else 1 + (index - 1) // 50 for index in order]
    assert numbers == sorted(numbers)


def test_first_call_has_an_epoch_of_its_own_in_windows() -> None:
    first = epochs_of(plan_of(queue(50), window=1000))[0]
    assert [(turn.thread, turn.end) for turn in first] == [(0, 1)]


@each_seed
def test_steps_end_with_an_epoch_and_have_the_live_bytes(seed: int) -> None:
    calls = random_threads(seed, 300, 5)
    live = live_after(real_calls(calls))
    ends = [*range(1, len(live) + 1, 1 + 2 * seed)]
    plan = plan_of(calls, ORDERED, ends)
    sizes = _calls_by_epoch(plan)
    assert [sum(sizes[: int(due) + 1]) for due in plan.due[: len(ends)]] == ends
    assert plan.cursor[0].peak_live == max(live)
    assert plan.cursor[0].calls == len(live)


def _calls_by_epoch(plan: Plan) -> list[int]:
    """Return the number of calls in each epoch."""
    at, counts = positions(plan), list[int]()
    for turns in epochs_of(plan):
        counts.append(0)
        for turn in turns:
            counts[-1] += int(turn.end) - at[int(turn.thread)]
            at[int(turn.thread)] = int(turn.end)
    return counts


def test_step_includes_the_ends_of_threads_after_its_last_call() -> None:
    plan = plan_of([malloc(0, 1), malloc(1, 1, 1), done(1), free(0)], ORDERED, [2, 3])
    assert [[bool(turn.ends) for turn in turns] for turns in epochs_of(plan)] == [
        [False],
        [True],
        [False],
    ]
    assert plan.due[:2].tolist() == [1, 2]


def test_step_keeps_its_epoch_if_another_thread_ends_before_the_next_call() -> None:
    calls = [malloc(0, 1, 1), malloc(1, 1), done(1), free(1), free(0)]
    assert plan_of(calls, ORDERED, [2, 4]).due[:2].tolist() == [2, 3]


def test_thread_that_comes_back_is_another_one() -> None:
    plan = plan_of([malloc(0, 1), malloc(1, 1, 1), done(1), malloc(2, 1, 1), done(1), done(1)])
    assert [int(turn.thread) for turns in epochs_of(plan) for turn in turns] == [0, 1, 2]
    assert [int(turn.ends) for turns in epochs_of(plan) for turn in turns] == [0, 1, 1]


def test_end_of_a_thread_between_calls_of_others_is_a_turn_of_its_own() -> None:
    plan = plan_of([malloc(0, 1, 1), malloc(1, 1), done(1), free(1)])
    found = [(int(t.thread), int(t.ends)) for turns in epochs_of(plan) for t in turns]
    assert found == [(0, 0), (1, 0), (0, 1), (1, 0)]


def test_threads_at_once_are_those_alive_and_those_that_end_in_the_epoch() -> None:
    calls = pool(5, 4)
    assert plan_of(calls).cursor[0].at_once == 1
    assert plan_of(calls, window=16).cursor[0].at_once == 3
    assert plan_of([malloc(n, 1, n) for n in range(5)]).cursor[0].at_once == 5


def test_slots_of_one_thread_are_reused_and_fill_whole_cache_lines() -> None:
    calls = [
        call for _ in range(10) for call in (malloc(0, 1), free(0), malloc(0, 1, 1), free(0, 1))
    ]
    counts = plan_of(calls).slots.counts[0]
    assert (counts.own, counts.shared) == (8, 0)


def test_shared_slots_are_reused_in_later_epochs_only() -> None:
    assert plan_of(queue(100)).slots.counts[0].shared == 1
    assert plan_of(queue(100), window=20).slots.counts[0].shared == 11
    assert plan_of(queue(100), window=1000).slots.counts[0].shared == 100


@pytest.mark.skipif(PURE, reason="65,536 calls take too long in pure mode")
def test_versions_wrap_after_65536_calls() -> None:
    calls = [malloc(0, 8), *(realloc(0, 8, n % 2) for n in range(1 << 16)), free(0, 1)]
    versions = [int(event.thread) for event in plan_of(calls).stream]
    assert max(versions) == 0xFFFF
    assert sorted(set(versions)) == list(range(1 << 16))


@pytest.mark.skipif(PURE, reason="65,536 calls take too long in pure mode")
def test_equal_versions_of_an_object_are_in_different_epochs() -> None:
    calls = [malloc(0, 8), *(realloc(0, 8) for _ in range(1 << 16)), free(0, 1)]
    plan = plan_of(calls, window=1 << 20)
    at = positions(plan)
    for turns in epochs_of(plan):
        versions = list[int]()
        for turn in turns:
            versions += plan.stream.thread[at[int(turn.thread)] : turn.end].tolist()
            at[int(turn.thread)] = int(turn.end)
        assert len(set(versions)) == len(versions) > 0
