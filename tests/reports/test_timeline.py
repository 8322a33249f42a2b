"""The timeline on the screen."""

import pytest

from allocsim.reports.screen import Screen
from allocsim.reports.timeline import Line, axis, short_count, timeline_table


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999, "999"), (999.6, "1k"), (102_525, "103k"), (2_500_000, "2.5M"), (7e12, "7T")],
)
def test_counts_have_three_digits(count: float, text: str) -> None:
    assert short_count(count) == text


def test_labels_are_at_equal_distances_and_the_last_ends_the_line() -> None:
    assert axis(["0", "10", "20"], 20) == "0         10      20"
    assert axis(["0", "410k"], 12) == "0       410k"
    assert axis(["1000", "2000", "3000"], 6) == "1000 2000 3000"  # no label is lost


def test_axes_have_events_and_the_seconds_between_the_points_of_the_recording(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = Line("live", [*range(40)], 39, "peak 39 B", "green")
    times = [(0, 0), (50, 1_000_000_000), (200, 2_000_000_000)]
    Screen().print(timeline_table([line], 200, times, 40))
    drawn, events, seconds = capsys.readouterr().out.splitlines()
    assert drawn.split()[0] == "live"
    assert drawn.endswith("peak 39 B")
    assert events.split() == ["events", "0", "50", "100", "150", "200"]
    assert seconds.split() == ["seconds", "0.00", "1.00", "1.33", "1.67", "2.00"]
    assert len(events) == len(seconds) == drawn.rindex("█") + 1


def test_a_short_axis_has_two_labels(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().print(timeline_table([Line("live", [1, 2], 2, "", "")], 2, [], 40))
    assert capsys.readouterr().out.splitlines()[1].split() == ["events", "0", "2"]
