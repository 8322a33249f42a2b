"""Pairs in the description of a trace."""

from typing import Any

import pytest

from allocsim.recorded_pairs import MAX_PAIRS, recorded_pairs

PAIRS = [(0, 5), (7, 3)]


def test_pairs_are_read_from_the_description_or_from_that_of_the_source() -> None:
    assert recorded_pairs({"key": PAIRS}, "key") == PAIRS
    assert recorded_pairs({"source": {"key": [list(pair) for pair in PAIRS]}}, "key") == PAIRS


@pytest.mark.parametrize(
    "description",
    [
        {},
        {"key": PAIRS, "piece": "0:10"},
        {"source": "text"},
        {"key": None},
        {"key": [[1, 2, 3]]},
        {"key": [[1, "2"]]},
        {"key": [[-1, 2]]},
        {"key": [[1, 1 << 63]]},
        {"key": [[1.5, 2]]},
        {"key": [[0, 0]] * (MAX_PAIRS + 1)},
    ],
)
def test_pairs_that_are_missing_or_not_valid_are_none(description: dict[str, Any]) -> None:
    assert recorded_pairs(description, "key") is None
