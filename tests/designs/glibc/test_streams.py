"""glibc under random streams: fill patterns stay intact and invariants hold."""

from typing import Any

import pytest

from allocsim import Heap
from allocsim.core.jit import PURE
from allocsim.events import Op
from allocsim.player import Options, Player
from tests.driving import Call, random_calls, stream_of

SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "few arenas, dtv": {"cores": 1, "arena_test": 1, "startup": "linked"},
    "no caches": {"tcache_count": 0, "mxfast": 0, "arena_max": 2},
    "mappings, no padding": {"mmap_threshold": 300, "top_pad": 0, "trim_threshold": 5000},
}


def calls(seed: int, count: int) -> list[Call]:
    """Return valid calls of all kinds by five threads, with trims and thread ends."""
    found = random_calls(seed, count, objects=2000 if count > 10_000 else 100, threads=5)
    for place in range(count // 20, len(found), count // 10):
        found.insert(place, Call(Op.RELEASE, request=1 << 20))
        found.insert(place, Call(Op.THREAD_DONE, thread=1 + place % 3))
    return found


@pytest.mark.parametrize(
    ("seed", "parameters"), list(enumerate(SETTINGS.values(), start=1)), ids=SETTINGS
)
def test_random_events_keep_fill_patterns_and_invariants(
    seed: int, parameters: dict[str, Any]
) -> None:
    count = 500 if PURE else 50_000
    events: Any = stream_of(calls(seed, count))
    with Heap("glibc", **parameters) as heap:
        player = Player(heap, Options(verify=True, check_every=count // 4))
        player.play(events)
        assert player.events == count
        assert heap.check() == []
        profile = player.profile()
        assert profile.at_end.heap == sum(profile.at_end.parts.values())
