"""Heaps of the design `go`, and settings for each of its modes."""

from collections.abc import Iterator

import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.records import HeapState

MODES: dict[str, dict[str, int]] = {
    "GOGC=100": {},
    "collect": {"GOGC": -1, "collect": 50},
    "freegc": {"freegc": 1},
    "limit": {"GOGC": -1, "GOMEMLIMIT": 8 << 20},
    "direct": {"direct": 1},
    "no green tea": {"greenteagc": 0, "collect": 70},
}
"""Settings of every mode."""

SIZES = (3, 8, 15, 16, 24, 100, 512, 513, 3000, 20_000, 32_760, 32_761, 200_000)
"""Sizes of tiny, small and large objects."""

each_mode = pytest.mark.parametrize("settings", MODES.values(), ids=MODES)


@pytest.fixture
def go_heap() -> Iterator[Heap]:
    """A heap with 64 MiB of addresses that collects only on request."""
    with Heap("go", reserve=64 << 20, GOGC="off") as heap:
        yield heap


@pytest.fixture
def direct_heap() -> Iterator[Heap]:
    """A heap whose frees take effect at once."""
    with Heap("go", reserve=64 << 20, direct=1) as heap:
        yield heap


@pytest.fixture
def busy_heap() -> Iterator[Heap]:
    """A heap after a collection, with live and dead objects of all kinds and partly used spans."""
    with Heap("go", reserve=64 << 20, GOGC="off", collect=300) as heap:
        keep_busy(heap.state)
        yield heap


def keep_busy(state: HeapState) -> None:
    """Allocate and free until every kind of record is in use."""
    operations.allocate_stack(state, 20_000)
    operations.free_stack(state, operations.allocate_stack(state, 40_000))
    live = [operations.malloc(state, 0, 100) for _ in range(120)]
    live += [operations.malloc(state, 0, size) for size in SIZES * 4]
    for address in live[::3]:
        operations.free(state, 0, address)
    while state.gc_controller[0].num_gc == 0:
        operations.free(state, 0, operations.malloc(state, 0, 3000))
    live = [operations.malloc(state, 0, size) for size in SIZES * 2]
    for address in live[1::4]:
        operations.free(state, 0, address)
