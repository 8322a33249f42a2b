"""Tables of size classes: refills, waste, and `mismatches`, which finds a wrong function."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from allocsim.core.size_classes import SizeClasses
from allocsim.designs.go2008 import SIZE_CLASSES
from allocsim.designs.go2008.size_classes import class_to_size, size_to_class


def table_of(class_of: Callable[[int], int], sizes: list[int]) -> SizeClasses:
    """Return a table of the given sizes; a refill takes 64 bytes, and a page has 16 bytes."""
    return SizeClasses(class_of, sizes.__getitem__, len(sizes), lambda _: 64, 16)


def smallest_class(sizes: list[int]) -> Callable[[int], int]:
    """Return a function that finds the smallest class for a request."""
    return lambda request: bisect_left(sizes, request)


def test_valid_table_has_no_mismatch() -> None:
    assert list(SIZE_CLASSES.mismatches()) == []
    assert list(table_of(smallest_class([3, 7, 20]), [3, 7, 20]).mismatches()) == []


def off_by_one(request: int) -> int:
    """size_to_class with < in place of <=."""
    return int(size_to_class(request + 1))


def one_size_wrong(request: int) -> int:
    """size_to_class, wrong for one size."""
    return int(size_to_class(request)) + (request == 777)


def bounded(request: int) -> int:
    """size_to_class that returns the last class for sizes that are too large."""
    return min(int(size_to_class(request)), 167)


def late_step(size_class: int) -> int:
    """class_to_size, wrong for one class."""
    return int(class_to_size(size_class)) - 8 * (size_class == 100)


def early_step(size_class: int) -> int:
    """class_to_size that returns one size twice."""
    return int(class_to_size(size_class - (size_class == 100)))


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ({"class_of": off_by_one}, "8 bytes map to class 1, expected 0"),
        ({"class_of": off_by_one}, "class 0 holds 8 bytes, which map to class 1"),
        ({"class_of": one_size_wrong}, "777 bytes map to class 37, expected 36"),
        ({"class_of": bounded}, "36864 bytes map to class 167, expected 168"),
        ({"object_size": late_step}, "15616 bytes map to class 100, expected 101"),
        ({"object_size": early_step}, "class 100 (15360 bytes) is not larger"),
    ],
)
def test_mismatches_find_a_wrong_function(broken: dict[str, Any], sentence: str) -> None:
    found = list(replace(SIZE_CLASSES, **broken).mismatches())
    assert any(sentence in line for line in found), found[:5]


def test_one_wrong_size_is_one_mismatch() -> None:
    found = list(replace(SIZE_CLASSES, class_of=one_size_wrong).mismatches())
    assert found == ["777 bytes map to class 37, expected 36"]


def test_rows_have_refill_and_waste_of_each_class() -> None:
    rows = table_of(smallest_class([10, 24]), [10, 24]).rows()
    first, second = rows
    assert (first.size_class, first.object_size, first.chunk, first.objects) == (0, 10, 64, 6)
    assert (first.tail, second.objects, second.tail) == (4, 2, 16)
    assert first.worst_waste == pytest.approx((64 - 6 * 1) / 64)
    assert second.worst_waste == pytest.approx((64 - 2 * 11) / 64)


def test_rows_round_a_refill_up_to_pages() -> None:
    narrow = replace(table_of(smallest_class([10]), [10]), page_size=50)
    assert (narrow.rows()[0].chunk, narrow.rows()[0].tail) == (100, 40)


def test_mean_waste_is_the_mean_over_all_sizes() -> None:
    wasted = [3 / 4, 2 / 4, 1 / 4, 0, 3 / 8, 2 / 8, 1 / 8, 0]
    assert table_of(smallest_class([4, 8]), [4, 8]).mean_waste() == pytest.approx(sum(wasted) / 8)
