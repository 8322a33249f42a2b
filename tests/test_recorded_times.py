"""Times of a recording: `event_at_time`, and valid and invalid times in a trace's description."""

from typing import Any

import pytest

from allocsim.errors import InputError
from allocsim.moments import Moment, Seconds, Share, event_at, parse_moment
from allocsim.recorded_times import event_at_time, recorded_times

POINTS = [(0, 0), (100, 10**9), (300, 2 * 10**9)]
MOMENTS = (Moment("peak", 5, 0, 0), Moment("end", 300, 0, 0))


@pytest.mark.parametrize(
    ("seconds", "event"), [(0.0, 0), (0.5, 50), (1.0, 100), (1.5, 200), (2.0, 300)]
)
def test_time_between_two_points_is_interpolated(seconds: float, event: int) -> None:
    assert event_at_time(POINTS, seconds) == event


def test_time_after_the_last_point_is_an_error() -> None:
    with pytest.raises(InputError, match=r"2\.5 s is after the last time in the recording, 2 s"):
        event_at_time(POINTS, 2.5)
    with pytest.raises(InputError, match="the recording has no times"):
        event_at_time([], 1)


def test_points_are_those_of_the_source() -> None:
    assert recorded_times({"times": POINTS}) == POINTS
    assert recorded_times({"source": {"times": [list(point) for point in POINTS]}}) == POINTS


@pytest.mark.parametrize(
    "description",
    [
        {},
        {"source": {"times": POINTS, "piece": {}}},
        {"source": 5},
        {"source": {"times": {"0": 1}}},
        {"source": {"times": [[0, 1, 2]]}},
        {"source": {"times": [[0, 1.5]]}},
        {"source": {"times": [[0, True]]}},
        {"source": {"times": [[0, -1]]}},
        {"source": {"times": [[0, 1 << 80]]}},
        {"source": {"times": [[5, 1], [4, 2]]}},
        {"source": {"times": [[5, 2], [6, 1]]}},
        {"source": {"times": ["01"]}},
    ],
)
def test_part_of_a_recording_and_damaged_points_have_no_times(description: Any) -> None:
    assert recorded_times(description) == []


@pytest.mark.parametrize(
    ("text", "expected", "event"),
    [
        ("peak", "peak", 5),
        ("7", 7, 7),
        ("50%", Share(0.5), 150),
        ("100%", Share(1), 300),
        ("1.5s", Seconds(1.5), 200),
        ("500 ms", Seconds(0.5), 50),
    ],
)
def test_moment_is_a_name_a_number_a_share_or_a_time(text: str, expected: Any, event: int) -> None:
    chosen = parse_moment(text)
    assert (type(chosen), chosen) == (type(expected), expected)
    assert event_at(MOMENTS, chosen, POINTS) == event


@pytest.mark.parametrize("text", ["101%", "-1s", "1e5s", "s", "%", "soon", "1 h", "nan%", "infs"])
def test_other_text_is_no_moment(text: str) -> None:
    with pytest.raises(InputError):
        parse_moment(text)


def test_time_is_never_after_the_end() -> None:
    assert event_at((Moment("end", 250, 0, 0),), Seconds(2), POINTS) == 250
    assert [str(Seconds(1.5)), str(Share(0.25))] == ["1.5 s", "25.0%"]
