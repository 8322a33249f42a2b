"""Fixtures for the whole suite.

The suite runs with compiled kernels and with NUMBA_DISABLE_JIT=1 (pure mode), where each access to
a record costs microseconds. Tests multiply their repetitions by SCALE.
"""

import gc
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.jit import PURE
from allocsim.core.records import HeapState
from allocsim.designs import SUMMARIES
from tests.compiled_libraries import compiler, event_file, odd_library  # noqa: F401 - fixtures
from tests.once import runs_compiled, runs_once
from tests.untraced import untraced

for _size in ("COLUMNS", "LINES"):
    # Workers of pytest-xdist import readline, which sets both variables and so narrows the output.
    os.environ.pop(_size, None)

SCALE = 1 if PURE else 20
"""Repetitions of a test, relative to pure mode."""

RESERVE = 1 << 30
"""Size of the address range of a test's heap, in bytes."""

PAGE = 4096

each_size = pytest.mark.parametrize("size", [0, 1, 24, 100, 32767, 32768, 200_000])
"""Sizes of small and large objects."""

REPOSITORY = Path(__file__).parents[1]

settings.register_profile(
    "allocsim",
    deadline=None,
    max_examples=10 * SCALE,
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("allocsim")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the marker "once" to the tests that `once` lists for the pure suite.

    scripts/test selects tests by this marker. Tests with the marker "compiled", and those that
    `once` lists for the compiled suite, are skipped in pure mode, so they never have it.
    """
    for item in items:
        if item.get_closest_marker("compiled") or runs_compiled(item.path):
            item.add_marker(pytest.mark.skipif(PURE, reason="a test of compiled code"))
        elif runs_once(item.path):
            item.add_marker("once")


def pytest_collection_finish() -> None:
    """Exempt what exists now from garbage collection.

    With 10,000 tests, gc.collect() takes 0.3 s without this, and some tests call it.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Run slow and Hypothesis tests without coverage, which doubles the time of Python code."""
    if any(item.get_closest_marker(marker) for marker in ("slow", "hypothesis")):
        with untraced():
            yield
    else:
        yield


@pytest.fixture
def heap() -> Iterator[Heap]:
    """An empty heap of 1 GiB."""
    with Heap(reserve=RESERVE) as heap:
        yield heap


@pytest.fixture
def small_heap() -> Iterator[Heap]:
    """An empty heap of 4 MiB, small enough to be filled."""
    with Heap(reserve=4 << 20) as heap:
        yield heap


@pytest.fixture(params=SUMMARIES)
def any_heap(request: pytest.FixtureRequest) -> Iterator[Heap]:
    """A heap of each design with its default parameters."""
    with Heap(request.param, reserve=RESERVE) as heap:
        yield heap


@pytest.fixture
def fresh(heap: Heap) -> HeapState:
    """The state of `heap` without thread caches, for the replay kernel, which begins threads."""
    return heap.state


@pytest.fixture
def state(fresh: HeapState) -> HeapState:
    """The state of `heap` with caches for threads 0 and 1, for tests that only call kernels."""
    for thread in (0, 1):
        operations.thread_begin(fresh, thread)
    return fresh


@pytest.fixture
def tcmalloc_heap() -> Iterator[Heap]:
    """A heap of 1 GiB of the design tcmalloc, without the startup state of the library."""
    with Heap("tcmalloc", reserve=RESERVE, startup="none") as heap:
        yield heap


@pytest.fixture
def small_tcmalloc_heap() -> Iterator[Heap]:
    """A heap as `tcmalloc_heap`, but of 4 MiB, small enough to be filled."""
    with Heap("tcmalloc", reserve=4 << 20, startup="none") as heap:
        yield heap


@pytest.fixture
def tcmalloc(tcmalloc_heap: Heap) -> HeapState:
    """The state of `tcmalloc_heap`, for tests that only call kernels."""
    return tcmalloc_heap.state


Unsound = Callable[[], list[str]]


@pytest.fixture
def unsound(heap: Heap) -> Unsound:
    """A function that returns the violated invariants of `heap`."""
    return heap.check


def contents(heap: Heap, address: int, length: int) -> np.ndarray:
    """Return `length` bytes of the heap from `address` on, writable."""
    return np.frombuffer(heap.memory.view(address, length), np.uint8)
