"""Invariants of any design: the limit on reported violations, and the sum of the footprint."""

from collections.abc import Iterator

import pytest

from allocsim import Heap
from allocsim.core.check import violations
from allocsim.core.memory import Reservation
from allocsim.errors import Corruption


def always_broken(heap: object, memory: Reservation) -> Iterator[str]:
    """An invariant with seven violations in every heap."""
    yield from map(str, range(7))


def test_violations_are_limited_for_each_invariant(heap: Heap) -> None:
    found = violations(heap.state, heap.memory, (always_broken, always_broken), limit=2)
    assert found == ["0", "1", "... and more of the same (always_broken)"] * 2


def test_violations_up_to_the_limit_are_all_reported(heap: Heap) -> None:
    assert len(violations(heap.state, heap.memory, (always_broken,), limit=7)) == 7


@pytest.mark.parametrize("field", ["heap", "released", "metadata", "footprint"])
def test_footprint_that_is_not_the_sum_is_reported(any_heap: Heap, field: str) -> None:
    any_heap.malloc(100_000)
    assert any_heap.check() == []
    any_heap.state.system[0][field] += 4096
    assert any("footprint counts" in line for line in any_heap.check())


@pytest.mark.parametrize("field", ["metadata", "footprint"])
def test_sample_of_a_heap_with_a_wrong_footprint_is_corrupt(any_heap: Heap, field: str) -> None:
    any_heap.malloc(100_000)
    any_heap.state.system[0][field] += 4096
    with pytest.raises(Corruption, match="footprint"):
        any_heap.profile()


@pytest.mark.parametrize("field", ["released", "metadata"])
def test_negative_count_is_reported(any_heap: Heap, field: str) -> None:
    system = any_heap.state.system[0]
    change = -4096 - system[field]
    system[field] += change
    system.footprint += change if field == "metadata" else -change
    assert any(f"{field} is -4096 bytes, expected 0" in line for line in any_heap.check())
