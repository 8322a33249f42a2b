"""With direct=1, every object has the address that a slow model computes by the same rules."""

import random
from collections.abc import Callable

import pytest

from allocsim import Heap
from allocsim.core import operations
from tests.conftest import SCALE
from tests.designs.go.slow_model import SlowGo

EDGES = (1, 3, 8, 15, 16, 17, 512, 513, 8192, 32_760, 32_761, 15 * 8192, 16 * 8192, 5 << 20)

LAWS: dict[str, Callable[[random.Random], int]] = {
    "small": lambda rng: int(2 ** rng.uniform(4, 12)),
    "tiny": lambda rng: rng.randrange(1, 33),
    "one class": lambda rng: rng.randrange(193, 209),
    "large": lambda rng: int(2 ** rng.uniform(13, 18)),
    "edges": lambda rng: rng.choice(EDGES[:-1] if rng.random() < 0.98 else EDGES),
}


@pytest.mark.parametrize("law", LAWS)
def test_objects_are_where_the_slow_model_places_them(law: str) -> None:
    seed = random.randrange(1 << 32)
    rng, model, live = random.Random(seed), SlowGo(), list[tuple[int, int]]()
    with Heap("go", reserve=4 << 30, direct=1) as heap:
        start = heap.memory.address
        for step in range(1500 * min(SCALE, 6)):
            grows = step // 150 % 2 == 0
            if live and rng.random() < (0.35 if grows else 0.7):
                real, expected = live.pop(rng.randrange(len(live)))
                operations.free(heap.state, 0, real)
                model.free(expected)
            else:
                size = LAWS[law](rng)
                real, expected = operations.malloc(heap.state, 0, size), model.malloc(size)
                assert real - start == expected, f"seed {seed}, step {step}, {size} bytes"
                live.append((real, expected))
        assert heap.check() == []
