"""A library's operations: they reach the library, and what it keeps to itself is zero."""

import subprocess
import sys

import pytest

from allocsim.errors import EnvironmentLacks
from allocsim.rivals import library
from allocsim.rivals.library import CHILD_ENVIRONMENT, KNOWN, PACKAGES, find_library, load
from tests.cli.running import ENVIRONMENT

OPERATIONS = """
import ctypes, sys
import numpy as np
from allocsim.core import operations
from allocsim.core.records import SAMPLE
from allocsim.rivals.library import load

heap = load(sys.argv[1])
assert len(heap.function) == 6 and all(heap.function[:5]), heap.function
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
    assert aligned and aligned % (1 << shift) == 0, shift
    assert operations.free(heap, 0, aligned) == 0

for address in (moved, large, zeroed):
    assert operations.free(heap, 0, address) == 0
assert operations.malloc(heap, 0, 1 << 60) == 0

assert operations.thread_done(heap, 0) == 0
assert operations.freeze(heap) == 0
assert operations.footprint(heap) == 0
sample = np.zeros(1, SAMPLE).view(np.recarray)
assert operations.measure(heap, 77, sample[0]) == 0
assert sample[0].live == 77 and sample[0].heap == 0
print("fine")
"""


@pytest.mark.parametrize("name", KNOWN)
def test_operations_reach_the_library(name: str) -> None:
    if find_library(name) is None:
        pytest.skip(f"{name} is not installed: apt install {PACKAGES[name]}")
    child = subprocess.run(
        [sys.executable, "-c", OPERATIONS, name],
        capture_output=True,
        text=True,
        env={**ENVIRONMENT, **CHILD_ENVIRONMENT},
        check=False,
    )
    assert (child.returncode, child.stdout) == (0, "fine\n"), child.stderr


def test_library_that_is_not_there_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(library.KNOWN, "glibc", ("libnothing.so.9", ""))
    with pytest.raises(EnvironmentLacks, match=r"glibc: libnothing.*Debian's package is libc6"):
        load("glibc")
    assert find_library("glibc") is None


def test_every_library_has_a_package() -> None:
    assert list(KNOWN) == list(PACKAGES)


def test_glibc_is_always_there() -> None:
    assert find_library("glibc") == "libc.so.6"
