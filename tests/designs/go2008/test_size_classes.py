"""Size classes of go2008: the formulas, compared with the original's table."""

from bisect import bisect_left

import pytest

from allocsim.designs.go2008 import SIZE_CLASSES
from allocsim.designs.go2008.size_classes import class_to_size, size_to_class
from tests.designs.go2008.lookup import SIZES


def test_there_are_168_classes_of_the_described_sizes() -> None:
    assert len(SIZES) == 168
    assert SIZE_CLASSES.sizes() == SIZES


def test_every_size_maps_to_the_smallest_class_that_holds_it() -> None:
    expected = [bisect_left(SIZES, request) for request in range(32769)]
    assert [size_to_class(request) for request in range(32769)] == expected


def test_every_size_above_the_table_maps_to_no_class_of_it() -> None:
    assert min(size_to_class(request) for request in range(32769, 36865)) >= 168


def test_every_class_maps_to_itself_and_a_byte_more_to_the_next() -> None:
    for size_class, size in enumerate(SIZES):
        assert class_to_size(size_class) == size
        assert size_to_class(size) == size_class
        assert size_to_class(size + 1) == size_class + 1


@pytest.mark.parametrize("request_", [0, -1, -8, -(2**62), -(2**63)], ids=str)
def test_zero_and_less_are_class_zero(request_: int) -> None:
    assert size_to_class(request_) == 0


def test_rows_have_the_refills_of_the_description() -> None:
    for row, size in zip(SIZE_CLASSES.rows(), SIZES, strict=True):
        taken = min(1024 * size, 1 << 20)
        pages = -(-taken // 4096)
        assert (row.chunk, row.objects) == (pages * 4096, taken // size)
        assert row.tail == row.chunk - row.objects * size
