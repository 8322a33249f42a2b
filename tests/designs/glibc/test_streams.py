"""glibc under random streams: fill patterns stay intact and invariants hold."""

from typing import Any

import pytest

from tests.random_streams import calls, length, require_sound

SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "few arenas, dtv": {"cores": 1, "arena_test": 1, "startup": "linked"},
    "no caches": {"tcache_count": 0, "mxfast": 0, "arena_max": 2},
    "mappings, no padding": {"mmap_threshold": 300, "top_pad": 0, "trim_threshold": 5000},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seed", "parameters"), list(enumerate(SETTINGS.values(), start=1)), ids=SETTINGS
)
def test_random_events_keep_fill_patterns_and_invariants(
    seed: int, parameters: dict[str, Any]
) -> None:
    require_sound("glibc", parameters, calls(seed, length(50_000), threads=5))
