"""Large objects: whole pages, a span for each, cleared when they are freed."""

import pytest

from allocsim import Heap
from allocsim.core.operations import Status
from allocsim.designs.go2008.large_objects import allocate_aligned_large, allocate_large, free_large
from allocsim.designs.go2008.pagemap import span_of
from allocsim.designs.go2008.records import Go2008, SpanState
from tests.conftest import PAGE, Unsound, contents


@pytest.mark.parametrize("state_of_span", [SpanState.IN_USE, SpanState.STACK])
@pytest.mark.parametrize(("request_", "pages"), [(1, 1), (PAGE, 1), (PAGE + 1, 2), (1 << 21, 512)])
def test_span_is_as_many_pages_as_it_takes(
    state: Go2008, request_: int, pages: int, state_of_span: SpanState
) -> None:
    address = allocate_large(state, request_, state_of_span)
    record = state.span[span_of(state, address)]
    assert (record.address, record.pages, record.state) == (address, pages, state_of_span)
    assert state.counters[0].large_pages == pages


@pytest.mark.parametrize("request_", [-(2**62), 0, 1, PAGE, PAGE + 1])
@pytest.mark.parametrize("alignment", [2 * PAGE, 1 << 20])
def test_aligned_pages_are_aligned(state: Go2008, request_: int, alignment: int) -> None:
    address = allocate_aligned_large(state, request_, alignment)
    assert address % alignment == 0
    assert state.counters[0].large_pages == max(-(-request_ // PAGE), 1)


@pytest.mark.parametrize("request_", [2**30 + 1, 2**47, 2**62, 2**63 - 1], ids=hex)
def test_request_beyond_the_reservation_fails(state: Go2008, request_: int) -> None:
    assert allocate_large(state, request_, SpanState.IN_USE) == 0
    assert allocate_aligned_large(state, request_, 2 * PAGE) == 0
    assert state.system[0].refusal == Status.OUT_OF_MEMORY
    assert state.counters[0].large_pages == 0


def test_freed_pages_are_zeros_and_free(heap: Heap, state: Go2008, unsound: Unsound) -> None:
    addresses = [allocate_large(state, 3 * PAGE, SpanState.IN_USE) for _ in range(3)]
    for address in addresses:
        contents(heap, address, 3 * PAGE)[:] = 0xCC
    free_large(state, span_of(state, addresses[1]))
    assert not contents(heap, addresses[1], 3 * PAGE).any()
    assert all(contents(heap, address, 3 * PAGE).all() for address in addresses[::2])
    assert (state.counters[0].large_pages, unsound()) == (6, [])
