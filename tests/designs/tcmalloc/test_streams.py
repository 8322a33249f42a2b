"""tcmalloc under random streams: fill patterns stay intact and invariants hold."""

import pytest

from tests.random_streams import calls, length, require_sound


@pytest.mark.slow
@pytest.mark.parametrize(("startup", "seed"), [("none", 1), ("preload", 2)])
def test_random_events_keep_fill_patterns_and_invariants(startup: str, seed: int) -> None:
    require_sound("tcmalloc", {"startup": startup}, calls(seed, length(100_000)))
