"""go under random streams, in each mode: fill patterns stay intact and invariants hold."""

from typing import Any

import pytest

from allocsim import Heap
from allocsim.core.jit import PURE
from allocsim.events import Op
from allocsim.player import Options, Player
from tests.designs.go.conftest import each_mode
from tests.driving import Call, random_calls, stream_of


def calls(seed: int, count: int) -> list[Call]:
    """Return valid calls of all kinds by four threads, with releases and thread ends."""
    found = random_calls(seed, count, objects=2000 if count > 10_000 else 100, threads=4)
    for place in range(count // 20, len(found), count // 10):
        found.insert(place, Call(Op.RELEASE, request=1 << 20))
        found.insert(place, Call(Op.THREAD_DONE, thread=1 + place % 3))
    return found


@each_mode
@pytest.mark.parametrize("seed", [1, 2])
def test_random_events_keep_fill_patterns_and_invariants(
    settings: dict[str, int], seed: int
) -> None:
    count = 500 if PURE else 50_000
    events: Any = stream_of(calls(seed, count))
    with Heap("go", **settings) as heap:
        player = Player(heap, Options(verify=True, check_every=count // 4))
        player.play(events)
        assert player.events == count
        assert heap.check() == []
        profile = player.profile()
        assert profile.at_end.heap == sum(profile.at_end.parts.values())
