"""Parameters of the design glibc, and the text about its bins and sizes."""

import re
from itertools import pairwise

import pytest

from allocsim.designs.glibc import DESIGN, INSTEAD_OF_CLASSES
from allocsim.designs.glibc.bins import bin_index
from allocsim.designs.glibc.chunks import request2size
from allocsim.errors import InputError
from tests.designs.glibc.conftest import MakeHeap


def test_parameters_are_those_of_the_library() -> None:
    mp = {name: parameter.default for name, parameter in DESIGN.parameters.items()}
    assert (mp["tcache_count"], mp["tcache_max"], mp["mxfast"]) == (7, 1032, 128)
    assert mp["mmap_threshold"] == mp["trim_threshold"] == mp["top_pad"] == 131_072
    assert (mp["mmap_max"], mp["arena_max"], mp["arena_test"]) == (65_536, 0, 8)


@pytest.mark.parametrize(
    ("name", "value"), [("tcache_max", 1033), ("mxfast", 161), ("tcache_count", 65_536)]
)
def test_value_that_the_library_ignores_is_an_error(name: str, value: int) -> None:
    with pytest.raises(InputError, match=f"{name}={value}: expected 0 to"):
        DESIGN.checked({name: value})


def test_heap_starts_at_the_page_that_is_set(make_glibc: MakeHeap) -> None:
    assert make_glibc(start_page=77).memory.address % (1 << 30) == 77 * 4096


def test_description_of_bins_and_sizes_is_true() -> None:
    numbers = [
        int(text.replace(",", "")) for text in re.findall(r"\d[\d,]*\d|\d", INSTEAD_OF_CLASSES)
    ]
    assert [request2size(n) for n in (24, 25, 40, 1032)] == [32, 48, 48, 1040]
    sizes = range(32, 600_000, 16)
    bins = [bin_index(size) for size in sizes]
    small = {number for size, number in zip(sizes, bins, strict=True) if size <= 1008}
    large = {number for size, number in zip(sizes, bins, strict=True) if size >= 1024}
    assert (len(small), len(large)) == (62, 63)
    borders = [*(bin_index(n) for n in (1024, 3136, 12_288, 40_960)), 127]
    assert [after - first for first, after in pairwise(borders)] == [33, 16, 7, 7]
    assert bin_index(524_288) == 126 > bin_index(524_272)
    assert {1024, 3136, 12_288, 40_960, 524_288, 33, 16, 62, 63} <= set(numbers)
