"""Size classes: they are the library's, and each size is in the smallest class that holds it."""

import csv
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc.size_classes import (
    MAX_SIZE,
    PAGE,
    SizeClass,
    class_index,
    class_of,
    num_move_size,
    row_of,
    size_map,
)

TABLE = Path(__file__).with_name("classes.csv")
"""The classes of gperftools 2.10, read from the installed library."""

BATCHES = pytest.mark.parametrize("transfer_num_obj", [2, 8, 32, 64, 1 << 16])


def library_rows() -> list[dict[str, int]]:
    """Return the classes of the library."""
    with TABLE.open(newline="") as table:
        rows = list(csv.DictReader(table))
    return [{name: int(row[name]) for name in row if "pct" not in name} for row in rows]


def test_every_class_is_the_librarys() -> None:
    rows = library_rows()
    names = ("class_index", "class_size", "span_pages", "objects_per_span", "num_objects_to_move")
    expected = [tuple(row[name] for name in names) for row in rows]
    assert [(n, *found) for n, found in enumerate(size_map(32), start=1)] == expected


def test_spans_and_their_tails_are_the_librarys() -> None:
    found = [(c.pages * PAGE, c.pages * PAGE % c.object_size) for c in size_map(32)]
    assert found == [(row["span_bytes"], row["tail_waste_bytes"]) for row in library_rows()]


def test_first_request_of_each_class_is_the_librarys() -> None:
    rows = class_index(size_map(32))
    for row in library_rows():
        assert rows[row_of(row["min_request"])] == row["class_index"]
        assert rows[row_of(max(row["min_request"] - 1, 0))] in (row["class_index"] - 1, 1)


def test_table_has_its_known_shape() -> None:
    classes = size_map(32)
    assert len(classes) == 85
    assert [c.object_size for c in classes[:9]] == [8, 16, 32, 48, 64, 80, 96, 112, 128]
    assert classes[0] == SizeClass(8, 1, 1024, 32)
    assert classes[-1] == SizeClass(262144, 32, 1, 2)
    sums = [sum(c[field] for c in classes) for field in range(4)]
    assert sums == [4477448, 628, 3149, 1460]


@pytest.mark.parametrize(
    ("transfer_num_obj", "count"), [(8, 85), (64, 87), (128, 87), (1 << 16, 87)]
)
def test_batches_change_the_table(transfer_num_obj: int, count: int) -> None:
    classes = size_map(transfer_num_obj)
    assert len(classes) == count
    assert [c.object_size for c in classes] != [c.object_size for c in size_map(32)]


@pytest.mark.parametrize(
    ("size", "transfer_num_obj", "batch"),
    [
        (8, 32, 32),
        (2048, 32, 32),
        (2049, 32, 31),
        (32768, 32, 2),
        (262144, 32, 2),
        (8, 1 << 16, 8192),
    ],
)
def test_batch_is_64_kib_within_bounds(size: int, transfer_num_obj: int, batch: int) -> None:
    assert num_move_size(size, transfer_num_obj) == batch


@BATCHES
def test_span_wastes_an_eighth_at_most_and_holds_a_quarter_of_a_batch(
    transfer_num_obj: int,
) -> None:
    for found in size_map(transfer_num_obj):
        length = found.pages * PAGE
        assert found.objects == length // found.object_size
        assert length - found.objects * found.object_size <= length // 8
        assert found.objects >= found.batch // 4


@BATCHES
def test_no_class_has_the_pages_and_objects_of_the_one_before(
    transfer_num_obj: int,
) -> None:
    shapes = [(found.pages, found.objects) for found in size_map(transfer_num_obj)]
    assert all(one != other for one, other in pairwise(shapes))


@BATCHES
def test_every_size_is_in_the_smallest_class_that_holds_it(transfer_num_obj: int) -> None:
    classes = size_map(transfer_num_obj)
    rows = class_index(classes)
    sizes = np.array([found.object_size for found in classes])
    found = rows[[row_of(request) for request in range(MAX_SIZE + 1)]]
    assert (found == np.searchsorted(sizes, np.arange(MAX_SIZE + 1)) + 1).all()


@BATCHES
@pytest.mark.parametrize("alignment", [16, 64, 512, 1024, 4096, PAGE])
def test_class_of_an_aligned_size_is_aligned(transfer_num_obj: int, alignment: int) -> None:
    classes = size_map(transfer_num_obj)
    rows = class_index(classes)
    for request in range(alignment, MAX_SIZE + 1, alignment):
        assert classes[int(rows[row_of(request)]) - 1].object_size % alignment == 0


@pytest.mark.parametrize("request_", [0, 1, 8, 9, 1024, 1025, MAX_SIZE - 1, MAX_SIZE])
def test_heap_looks_up_classes_in_its_own_table(tcmalloc: HeapState, request_: int) -> None:
    number = class_of(tcmalloc, request_)
    sizes = tcmalloc.size_class.object_size
    assert sizes[number - 1] < max(request_, 1) <= sizes[number]
