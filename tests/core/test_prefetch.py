"""A prefetch may name any row or address, and changes nothing."""

import numpy as np
import pytest

from allocsim.core import operations
from allocsim.core.operations import Status
from allocsim.core.prefetch import prefetch
from allocsim.core.records import Counters
from allocsim.core.tables import records
from allocsim.heap import Heap


@pytest.mark.parametrize("row", [0, 7, 8, -1, 1 << 40, -(1 << 40)])
def test_any_row_may_be_prefetched(row: int) -> None:
    numbers, rows = np.arange(8), records(Counters, 8)
    prefetch(numbers, row)
    prefetch(rows, row)
    assert numbers.tolist() == list(range(8))
    assert rows.tobytes() == bytes(rows.nbytes)


@pytest.mark.parametrize("near", [False, True])
def test_any_address_may_be_prefetched(heap: Heap, near: bool) -> None:
    address = operations.malloc(heap.state, 0, 100)
    before = [np.copy(table) for table in heap.state if table.nbytes < 1 << 20]
    for place in (0, 1, -1, address, address + 1, heap.memory.address + heap.memory.length):
        assert operations.prefetch(heap.state, place, near) == Status.OK
    after = [table for table in heap.state if table.nbytes < 1 << 20]
    assert all(map(np.array_equal, before, after))
    assert operations.free(heap.state, 0, address) == Status.OK
