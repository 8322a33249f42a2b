"""Libraries are loaded, and the operations of `core.operations` call their functions."""

from pathlib import Path

import pytest

from allocsim.errors import InputError
from allocsim.libraries.find import KNOWN, find_library
from allocsim.libraries.load import load
from tests.libraries.children import in_child, require

OPERATIONS = """
import ctypes, sys
import numpy as np
from allocsim.core import operations
from allocsim.core.records import SAMPLE
from allocsim.libraries.load import load

heap = load(sys.argv[1]).state
assert len(heap.function) == 5 and all(heap.function[:3]), heap.function
has_memalign = bool(heap.function[4])
assert operations.thread_begin(heap, 0) == 0

small = operations.malloc(heap, 0, 100)
large = operations.malloc(heap, 0, 10_000_000)
assert small and large and small != large
ctypes.memset(small, 0xAB, 100)
assert operations.malloc(heap, 0, 0)

moved = operations.realloc(heap, 0, small, 5000)
assert ctypes.string_at(moved, 100) == b"\\xab" * 100

zeroed = operations.calloc(heap, 0, 5000)
assert ctypes.string_at(zeroed, 5000) == bytes(5000)

for shift in range(3, 17):
    aligned = operations.memalign(heap, 0, 1 << shift, 100)
    assert bool(aligned) == has_memalign and aligned % (1 << shift) == 0, shift
    assert not aligned or operations.free(heap, 0, aligned) == 0

for address in (moved, large, zeroed):
    assert operations.free(heap, 0, address) == 0
assert operations.malloc(heap, 0, 1 << 60) == 0

assert operations.thread_done(heap, 0) == 0
assert operations.freeze(heap) == 0
assert operations.flush_deferred_writes(heap) == 0
assert operations.release(heap, 4096) == 0
assert operations.footprint(heap) == 0
sample = np.zeros(1, SAMPLE).view(np.recarray)
assert operations.measure(heap, 77, sample[0]) == 0
assert sample[0].live == 77 and sample[0].heap == 0
print("fine")
"""


@pytest.mark.parametrize("name", KNOWN)
def test_operations_reach_the_library(name: str) -> None:
    require(name)
    assert in_child(OPERATIONS, name) == "fine\n"


def test_library_without_a_malloc_is_no_malloc_library() -> None:
    """libm.so.6 defines no malloc, but dlsym finds that of its dependency libc.so.6."""
    path = Path(find_library("glibc") or "").parent / "libm.so.6"
    with pytest.raises(InputError, match=r"libm\.so\.6' does not have all of malloc, .* any known"):
        load(str(path))
    with pytest.raises(InputError, match=r"does not have all of malloc, .* the prefix 'my_'"):
        load(f"{path}:my_")


@pytest.mark.parametrize("name", KNOWN)
def test_library_given_by_its_path_is_the_same(name: str) -> None:
    path = require(name)
    shown = in_child(
        "import sys; from allocsim.libraries.load import load\n"
        "for name in sys.argv[1:]: print(list(load(name).state.function), load(name).path)",
        name,
        path,
    )
    first, second = shown.splitlines()
    assert first == second
