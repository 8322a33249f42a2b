"""Small workloads with threads, and plans of their replay.

A plan divides a replay into epochs. A turn is the events of one thread in one epoch (see
`benchmark.threads`).
"""

import random
from itertools import pairwise
from typing import Any

import numpy as np

from allocsim.benchmark.stepping import count_objects, steps_ending_at
from allocsim.benchmark.threads.plan import ORDERED, Plan, make_plan
from allocsim.benchmark.threads.survey import survey
from allocsim.core.memory import table
from allocsim.events import EVENT, Op
from tests.driving import Call, free, malloc, realloc, stream_of


def done(thread: int) -> Call:
    """Return the event that says that a thread has ended."""
    return Call(Op.THREAD_DONE, thread=thread)


def random_threads(seed: int, count: int, threads: int) -> list[Call]:
    """Return calls of threads that share objects, reuse object ids, end and come back."""
    rng, live, free_ids, calls = random.Random(seed), list[int](), list[int](), list[Call]()
    running = set[int]()
    while len(calls) < count:
        thread = rng.randrange(threads)
        if thread in running and rng.random() < 0.02:
            running.remove(thread)
            calls.append(done(thread))
            continue
        running.add(thread)
        for _ in range(rng.randrange(1, 6)):
            choice = rng.random()
            if choice < 0.5 or not live:
                number = free_ids.pop() if free_ids else len(live)
                live.append(number)
                calls.append(malloc(number, rng.randrange(3000), thread))
            elif choice < 0.6:
                calls.append(realloc(rng.choice(live), rng.randrange(1, 3000), thread))
            else:
                number = live.pop(rng.randrange(len(live)))
                free_ids.append(number)
                calls.append(free(number, thread))
    return calls


def queue(count: int) -> list[Call]:
    """Return calls of a thread that allocates objects, and of another one that frees them."""
    made = [malloc(number, 100 + number % 7, thread=0) for number in range(count)]
    taken = [free(number, thread=1) for number in range(count)]
    return [call for pair in zip(made, taken, strict=True) for call in pair]


def pool(threads: int, calls: int) -> list[Call]:
    """Return calls of threads that run one after another, each with its own objects."""
    found = list[Call]()
    for thread in range(threads):
        found += [malloc(number, 64, thread) for number in range(calls)]
        found += [free(number, thread) for number in range(calls)]
        found.append(done(thread))
    return found


def mapped(calls: list[Call]) -> Any:
    """Return the calls as events in mapped memory, like those of the child process."""
    events = table(EVENT, max(len(calls), 1))[: len(calls)]
    events[:] = stream_of(calls)
    return events


def plan_of(calls: list[Call], window: int = ORDERED, steps: list[int] | None = None) -> Plan:
    """Return the plan of a replay of the calls."""
    events = mapped(calls)
    objects = count_objects(events)
    return make_plan(events, survey(events, objects), objects, steps_ending_at(steps or []), window)


def real_calls(calls: list[Call]) -> list[Call]:
    """Return the calls except those of THREAD_DONE."""
    return [call for call in calls if call.op <= Op.FREE]


def owners(calls: list[Call]) -> list[int]:
    """Return the thread of each call; a thread that comes back after its end gets a new number."""
    current, numbers, total = dict[int, int](), list[int](), 0
    for call in calls:
        if call.op == Op.THREAD_DONE:
            current.pop(call.thread, None)
            continue
        if call.thread not in current:
            current[call.thread], total = total, total + 1
        numbers.append(current[call.thread])
    return numbers


def epochs_of(plan: Plan) -> list[list[Any]]:
    """Return the turns of each epoch."""
    count = int(plan.cursor[0].epochs)
    first = plan.epochs.first[: count + 1].tolist()
    return [list(plan.turns[a:b]) for a, b in pairwise(first)]


def positions(plan: Plan) -> dict[int, int]:
    """Return where each thread's events begin in the stream."""
    return dict(enumerate(np.asarray(plan.threads.begin).tolist()))
