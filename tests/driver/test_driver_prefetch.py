"""Prefetching for coming events changes no result, not even at the end of a chunk."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from allocsim import Heap
from allocsim.driver import Stop
from allocsim.driver_prefetch import FAR, MANY_OBJECTS
from tests.driving import Call, free, malloc, new_run, play, realloc, stream_of


def addresses(heap: Heap, calls: Sequence[Call], first: int) -> list[int]:
    """Replay calls, ids from `first` on; return the objects' distances from the heap's start."""
    run = new_run(objects=first + 3 * FAR)
    events = stream_of([replace(call, object=call.object + first) for call in calls])
    for part in np.array_split(events, 3):
        stream = part.view(np.recarray)
        assert play(heap.state, run, stream) == (len(part), Stop.END)
    placed = run.objects.address[first:].tolist()
    return [address - heap.memory.address if address else 0 for address in placed]


def test_a_large_table_gives_the_same_addresses() -> None:
    calls = [malloc(number, 16 * number + 1) for number in range(3 * FAR)]
    calls += [free(number) for number in range(0, 3 * FAR, 2)]
    calls += [realloc(number, 3000) for number in range(1, 3 * FAR, 2)]
    with Heap("go") as small, Heap("go") as large:
        expected = addresses(small, calls, 0)
        assert addresses(large, calls, MANY_OBJECTS) == expected
        assert large.check() == []
