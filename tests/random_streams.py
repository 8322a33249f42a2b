"""Random streams for a design: valid calls of all kinds, replayed with every check."""

from collections.abc import Mapping
from typing import Any

from allocsim import Heap
from allocsim.core.jit import PURE
from allocsim.events import Op
from allocsim.player import Options, Player
from tests.driving import Call, random_calls, stream_of

NOTES = (Op.RELEASE, Op.THREAD_DONE)
"""Operations that are notes, not calls of the allocator."""


def calls(seed: int, count: int, threads: int = 4) -> list[Call]:
    """Return valid calls of all kinds by some threads, with releases and thread ends."""
    found = random_calls(seed, count, objects=2000 if count > 10_000 else 100, threads=threads)
    for place in range(count // 20, len(found), count // 10):
        found.insert(place, Call(Op.RELEASE, request=1 << 20))
        found.insert(place, Call(Op.THREAD_DONE, thread=1 + place % 3))
    return found


def require_sound(design: str, settings: Mapping[str, Any], stream: list[Call]) -> None:
    """Replay a stream of calls and verify fill patterns, invariants and the sum of the parts."""
    events: Any = stream_of(stream)
    with Heap(design, **settings) as heap:
        player = Player(heap, Options(verify=True, check_every=len(events) // 4))
        player.replay_chunk(events)
        assert player.events == sum(call.op not in NOTES for call in stream)
        at_end = player.profile().at_end
        assert heap.check() == []
        assert at_end.heap == sum(at_end.parts.values())


def length(compiled: int) -> int:
    """Return the number of calls to replay: `compiled`, or fewer in pure mode."""
    return 500 if PURE else compiled
