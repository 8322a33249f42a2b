"""A peak that depends on what the program touches is shown as a range."""

import pytest

from allocsim.benchmark.figures import Row
from allocsim.reports.comparison import cells
from allocsim.reports.conclusions import warnings
from allocsim.reports.peak_range import lowest_peak, range_text
from tests.reports.comparisons import MIB, compared, memory


def row(lowest: int | None) -> Row:
    """A library with a peak of 10 MiB."""
    return Row(subject="lib:glibc", memory=memory(10 * MIB, lowest=lowest))


@pytest.mark.parametrize(
    ("lowest", "text"),
    [(None, "10.0 MiB"), (2 * MIB, "2.0 MiB - 10.0 MiB"), (int(9.5 * MIB), "10.0 MiB")],
)
def test_range_is_shown_if_the_ends_differ_by_a_tenth(lowest: int | None, text: str) -> None:
    found = row(lowest)
    assert range_text(found) == text
    assert (lowest_peak(found) is None) == ("-" not in text)


def test_range_is_in_the_table_and_explained() -> None:
    found = compared([row(2 * MIB)], reference="lib:glibc")
    assert cells(found)["lib:glibc"][0].text == "2.0 MiB - 10.0 MiB"
    assert any("some peaks are ranges" in text for text in warnings(found.comparison))


def test_row_without_memory_has_no_range() -> None:
    assert lowest_peak(Row(subject="lib:odd")) is None
