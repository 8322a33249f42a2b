"""The memory of a program that was recorded several times."""

from allocsim.benchmark.figures import Row
from allocsim.real_runs.comparison import choose_medians
from tests.reports.comparisons import memory


def test_memory_with_the_median_peak_is_chosen() -> None:
    first, second, third = ([Row(subject="a"), Row(subject="b")] for _ in range(3))
    for rows, peak in ((first, 30), (second, 10), (third, 20)):
        rows[0].memory = memory(peak, end=100 + peak)
    second[1].memory = memory(5)
    choose_medians(first, [second, third])
    assert first[0].peaks == [10, 20, 30]
    assert first[0].memory is not None
    assert (first[0].memory.peak, first[0].memory.end) == (20, 120)
    assert (first[1].memory, first[1].peaks) == (None, [])  # its first measurement failed
