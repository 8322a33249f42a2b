"""The heap of a library and the heap of the design that models it start at the same place."""

import pytest

from allocsim.designs import find_design
from allocsim.heap import Heap
from allocsim.libraries.environment import host_of
from tests.conftest import RESERVE
from tests.libraries.children import in_child, require

FIRST = """
import sys
from allocsim.core import operations
from allocsim.libraries.load import load
from allocsim.libraries.start import start_address

library = load(sys.argv[1])
print(start_address(library), operations.malloc(library.state, 0, 100))
"""


@pytest.mark.parametrize(("name", "region"), [("tcmalloc", 1 << 31), ("glibc", 1 << 30)])
def test_first_object_has_the_same_place_as_in_the_library(name: str, region: int) -> None:
    require(name)
    if name == "glibc" and host_of(name) is None:
        pytest.skip("neither mimalloc nor jemalloc is installed")
    address, first = map(int, in_child(FIRST, name).split())
    start = find_design(name).start
    assert start is not None
    with Heap(name, reserve=RESERVE, startup="dlopen", **start(address)) as heap:
        assert heap.malloc(100) % region == first % region


@pytest.mark.parametrize("name", ["jemalloc", "mimalloc"])
def test_start_of_a_library_that_no_design_models_is_unknown(name: str) -> None:
    require(name)
    assert in_child(FIRST, name).startswith("None ")
