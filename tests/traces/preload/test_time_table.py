"""The time of events: few points, evenly spaced."""

from allocsim.traces.preload.time_table import TimeTable


def test_points_stay_few_and_even() -> None:
    table = TimeTable()
    for event in range(10 * TimeTable.MAX_POINTS):
        table.add(event, 3 * event)
    assert TimeTable.MAX_POINTS // 2 <= len(table.points) < TimeTable.MAX_POINTS
    steps = {
        after[0] - before[0] for before, after in zip(table.points, table.points[1:], strict=False)
    }
    assert steps == {16}
    assert all(time == 3 * event for event, time in table.points)


def test_text_of_the_points_fits_its_room() -> None:
    table = TimeTable()
    for event in range(TimeTable.MAX_POINTS - 1):
        table.add(10**12 + event, 10**15 + event)
    assert len(str(table.points)) <= TimeTable.MAX_TEXT
