"""Invariants of the design tcmalloc: a valid heap passes, and each corruption is reported."""

import pytest

from allocsim import Heap
from allocsim.core.check import Invariant
from allocsim.core.records import HeapState
from allocsim.designs.tcmalloc import DESIGN, check_caches, check_page_heap
from tests.corruptions import Corrupt, Corruptions, invariants_in, require_reported
from tests.designs.tcmalloc import corrupt_caches, corrupt_page_heap

CORRUPTIONS = Corruptions(corrupt_page_heap.CORRUPTIONS, corrupt_caches.CORRUPTIONS)

each_invariant = pytest.mark.parametrize("invariant", DESIGN.invariants, ids=lambda i: i.__name__)


@each_invariant
def test_busy_heap_is_valid(
    busy_heap: Heap, busy_tcmalloc: HeapState, invariant: Invariant
) -> None:
    assert list(invariant(busy_tcmalloc, busy_heap.memory)) == []


@each_invariant
def test_empty_heap_is_valid(tcmalloc_heap: Heap, invariant: Invariant) -> None:
    assert list(invariant(tcmalloc_heap.state, tcmalloc_heap.memory)) == []


@pytest.mark.parametrize(
    ("invariant", "corrupt", "sentence"), CORRUPTIONS.all, ids=CORRUPTIONS.names
)
def test_corruption_is_reported(
    busy_heap: Heap, invariant: Invariant, corrupt: Corrupt, sentence: str
) -> None:
    require_reported(busy_heap, invariant, corrupt, sentence)


def test_every_invariant_has_a_corruption() -> None:
    assert CORRUPTIONS.invariants == invariants_in(check_page_heap) | invariants_in(check_caches)


def test_design_names_every_invariant() -> None:
    assert CORRUPTIONS.invariants == set(DESIGN.invariants)
    assert len(DESIGN.invariants) == len(set(DESIGN.invariants))
