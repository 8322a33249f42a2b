"""The file that `part_of` makes from some events of a file, compared with expected rows."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from allocsim.benchmark import event_part
from allocsim.benchmark.event_file import map_events, write_events
from allocsim.benchmark.event_part import part_of
from allocsim.errors import EnvironmentLacks
from allocsim.events import EVENT, Op, Trace
from tests.benchmark.threads.workloads import random_threads
from tests.driving import Call, free, malloc, stream_of

DESCRIPTORS = Path("/proc/self/fd")


def rows_of(events: Any) -> list[tuple[int, int, int]]:
    """Return the thread, operation and object of each row."""
    return [*zip(events.thread.tolist(), events.op.tolist(), events.object.tolist(), strict=True)]


@pytest.mark.parametrize("seed", range(4))
def test_part_has_the_chosen_events_and_all_ends_of_threads(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_part, "BLOCK", 7)
    rng, calls = random.Random(seed), random_threads(seed, 60, 3)
    whole = write_events(Trace("t", iter([stream_of(calls)]), {}), recorded=True)
    events = sum(call.op <= Op.FREE for call in calls)
    remains = np.array([rng.random() < 0.5 for _ in range(rng.randrange(1, events))])
    expected, before, flags = list[tuple[int, int, int]](), list[int](), remains.tolist()
    for call in calls:
        if not flags:
            break
        if call.op == Op.THREAD_DONE:
            before.append(sum(op <= Op.FREE for _, op, _ in expected))
        elif not flags.pop(0):
            continue
        expected.append((call.thread, int(call.op), call.object))
    part = part_of(whole, remains)
    assert rows_of(map_events(part.descriptor)) == expected
    assert part.events == np.count_nonzero(remains)
    assert part.notes == before
    part.close()
    whole.close()


def test_ends_of_threads_after_the_last_event_are_not_in_the_part() -> None:
    calls = [malloc(0, 8), malloc(1, 8, 1), Call(Op.THREAD_DONE, thread=1), free(0)]
    whole = write_events(Trace("t", iter([stream_of(calls)]), {}), recorded=True)
    for count, ends in ((2, 0), (3, 1)):
        part = part_of(whole.up_to(3), np.ones(count, np.bool_))
        assert part.first is None
        assert (part.events, len(part.notes)) == (count, ends)
        assert len(map_events(part.descriptor)) == count + ends
        part.close()
    whole.close()


def test_part_takes_at_most_half_of_the_available_memory() -> None:
    whole = write_events(Trace("t", iter([stream_of([malloc(0, 8), malloc(1, 8)])]), {}))
    before = len([*DESCRIPTORS.iterdir()])
    with pytest.raises(EnvironmentLacks, match="2 events of an experiment need more than half"):
        part_of(whole, np.ones(2, np.bool_), lambda: 4 * EVENT.itemsize - 1)
    assert len([*DESCRIPTORS.iterdir()]) == before
    whole.close()
