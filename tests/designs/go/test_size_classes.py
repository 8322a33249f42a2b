"""Size classes: the published table, and how many objects a span holds."""

import pytest

from allocsim import Heap
from allocsim.designs.go.size_classes import CLASSES, class_of, objects_of, size_classes
from tests.conftest import RESERVE

PUBLISHED = {
    1: (8, 1), 2: (16, 1), 3: (24, 1), 10: (128, 1), 18: (256, 1), 19: (288, 1), 26: (512, 1),
    27: (576, 1), 35: (1408, 2), 36: (1536, 1), 43: (3456, 3), 50: (6912, 6), 52: (9472, 7),
    57: (13568, 5), 60: (18432, 9), 65: (27264, 10), 66: (28672, 7), 67: (32768, 4),
}  # fmt: skip
"""Bytes of an object and pages of a span, from the comment in Go's sizeclasses.go."""


def test_classes_are_the_published_ones() -> None:
    assert len(CLASSES) == 67
    assert {number: tuple(CLASSES[number - 1]) for number in PUBLISHED} == PUBLISHED
    assert sum(info.object_size for info in CLASSES) == 372_768
    assert sum(info.pages for info in CLASSES) == 168


@pytest.mark.parametrize("greenteagc", [False, True])
def test_every_size_maps_to_the_smallest_class_that_holds_it(greenteagc: bool) -> None:
    assert list(size_classes(CLASSES, greenteagc).mismatches()) == []


def test_sizes_at_the_ends_of_classes_map_to_them() -> None:
    with Heap("go", reserve=RESERVE) as heap:
        found = [class_of(heap.state, request) for request in (1024, 1025, 32_760)]
    assert found == [32, 33, 67]


@pytest.mark.parametrize(
    ("number", "plain", "marked"), [(1, 1024, 1024), (2, 512, 504), (26, 16, 15), (27, 14, 14)]
)
def test_mark_bytes_take_the_place_of_objects(number: int, plain: int, marked: int) -> None:
    info = CLASSES[number - 1]
    assert (objects_of(info, False), objects_of(info, True)) == (plain, marked)
