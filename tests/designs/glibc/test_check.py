"""Invariants of the design glibc: a valid heap passes, and each corruption is reported."""

import numpy as np
import pytest

from allocsim import Heap
from allocsim.core.check import Invariant
from allocsim.designs.glibc import check_arenas, check_chunks, check_lists, check_mappings
from allocsim.designs.glibc.check_arenas import INVARIANTS
from allocsim.designs.glibc.tcache import TCACHE_MAX_BINS
from tests.corruptions import Corrupt, Corruptions, invariants_in, require_reported
from tests.designs.glibc import corrupt, corrupt_mappings

CORRUPTIONS = Corruptions(corrupt.CORRUPTIONS, corrupt_mappings.CORRUPTIONS)


def test_busy_heap_is_valid(busy_heap: Heap) -> None:
    assert busy_heap.check() == []


def test_empty_heap_is_valid(glibc_heap: Heap) -> None:
    assert glibc_heap.check() == []


def test_busy_heap_has_something_in_every_part(busy_heap: Heap) -> None:
    parts = busy_heap.profile().parts
    assert all(parts[name] for name in parts if name not in ("live", "released"))
    assert int(busy_heap.state.mp_[0].narenas) == 3
    assert len(check_chunks.slots_of(busy_heap.state, 1)) == 2


@pytest.mark.parametrize(
    ("invariant", "change", "sentence"), CORRUPTIONS.all, ids=CORRUPTIONS.names
)
def test_corruption_is_reported(
    busy_heap: Heap, invariant: Invariant, change: Corrupt, sentence: str
) -> None:
    require_reported(busy_heap, invariant, change, sentence)


def test_every_invariant_has_a_corruption() -> None:
    assert CORRUPTIONS.invariants == set(INVARIANTS)


def test_design_names_every_invariant() -> None:
    modules = (check_chunks, check_lists, check_mappings, check_arenas)
    assert set(INVARIANTS) == set().union(*map(invariants_in, modules))
    assert len(INVARIANTS) == len(set(INVARIANTS))


def test_check_changes_nothing(busy_heap: Heap) -> None:
    def everything() -> list[bytes]:
        state = busy_heap.state
        tables = (state.system, state.mp_, state.arena, state.heap_info, state.lists)
        rows = (state.mapping[:100], state.tcache[: 4 * TCACHE_MAX_BINS])
        return [np.asarray(table).tobytes() for table in (*tables, *rows)]

    before, resident = everything(), busy_heap.resident()
    assert busy_heap.check() == []
    assert (everything(), busy_heap.resident()) == (before, resident)
