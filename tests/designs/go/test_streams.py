"""go under random streams, in each mode: fill patterns stay intact and invariants hold."""

import pytest

from allocsim.core.jit import PURE
from tests.designs.go.conftest import each_mode
from tests.random_streams import calls, length, require_sound


@pytest.mark.slow
@each_mode
@pytest.mark.parametrize("seed", [1] if PURE else [1, 2])
def test_random_events_keep_fill_patterns_and_invariants(
    settings: dict[str, int], seed: int
) -> None:
    require_sound("go", settings, calls(seed, length(50_000)))
