"""docs/tour.md: every block runs, and its output is shown below it."""

import pytest

from allocsim.core.jit import PURE
from tests.pages import assert_prints_what_it_shows, steps_of

TOUR = "tour.md"


def test_every_block_has_its_output() -> None:
    assert len(steps_of(TOUR)) >= 8


@pytest.mark.skipif(PURE, reason="whole workloads take minutes as plain Python")
def test_tour_prints_what_it_shows() -> None:
    assert_prints_what_it_shows(TOUR)
