"""Page map: exactly the pages of a span are mapped to it, at any 64-bit address."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocsim import Heap
from allocsim.core.memory import table
from allocsim.core.operations import Status
from allocsim.designs.go2008.pagemap import (
    LEVEL_SIZE,
    NODE_BYTES,
    ROOT,
    insert_span,
    max_nodes,
    span_of,
)
from allocsim.designs.go2008.records import Go2008
from tests.conftest import PAGE

LAST_PAGE = 2**51 - 1
"""The last page with addresses below 2**63."""

BOUNDARIES = {"leaf": 2**13, "node": 2**26, "node of nodes": 2**39, "upper half": 2**50}
"""The first page after a boundary of each level."""

boundaries = pytest.mark.parametrize("boundary", BOUNDARIES.values(), ids=BOUNDARIES)


@pytest.mark.parametrize(
    "address",
    [0, 1, PAGE, 2**25, 2**38, 2**46, 2**62, 2**63 - 1],
    ids=lambda address: f"{address:#x}",
)
def test_unknown_page_is_mapped_to_no_span(state: Go2008, address: int) -> None:
    assert span_of(state, address) == 0


@boundaries
def test_span_across_a_boundary_is_mapped_on_both_sides(state: Go2008, boundary: int) -> None:
    assert insert_span(state, (boundary - 2) * PAGE, 4, 7)
    found = [span_of(state, page * PAGE) for page in range(boundary - 3, boundary + 3)]
    assert found == [0, 7, 7, 7, 7, 0]


@boundaries
def test_spans_on_either_side_of_a_boundary_are_separate(state: Go2008, boundary: int) -> None:
    insert_span(state, (boundary - 1) * PAGE, 1, 3)
    insert_span(state, boundary * PAGE, 1, 4)
    assert [span_of(state, page * PAGE) for page in (boundary - 1, boundary)] == [3, 4]


@pytest.mark.parametrize("page", [1, LEVEL_SIZE - 1, 2**39 + 5, LAST_PAGE], ids=hex)
def test_every_byte_of_a_page_is_mapped_to_its_span(state: Go2008, page: int) -> None:
    insert_span(state, page * PAGE, 1, 9)
    inside = (page * PAGE, page * PAGE + 1, page * PAGE + PAGE - 1)
    assert [span_of(state, address) for address in inside] == [9, 9, 9]
    assert span_of(state, page * PAGE - 1) == 0


def test_last_pages_below_two_to_the_63_can_be_mapped(state: Go2008) -> None:
    assert insert_span(state, (LAST_PAGE - 1) * PAGE, 2, 5)
    assert span_of(state, 2**63 - 1) == 5
    assert span_of(state, (LAST_PAGE - 1) * PAGE) == 5
    assert span_of(state, (LAST_PAGE - 2) * PAGE) == 0


def test_page_that_is_inserted_again_is_mapped_to_the_newer_span(state: Go2008) -> None:
    insert_span(state, PAGE, 4, 1)
    insert_span(state, 3 * PAGE, 2, 2)
    assert [span_of(state, page * PAGE) for page in range(1, 5)] == [1, 1, 2, 2]


def test_pages_far_apart_share_no_node_but_the_root(state: Go2008) -> None:
    for page in (0, 2**39, 2**40):
        insert_span(state, page * PAGE, 1, 1)
    assert state.static[0].nodes == ROOT + 1 + 3 * 3


def test_nodes_of_a_leaf_are_allocated_once(state: Go2008) -> None:
    before = int(state.system[0].footprint)
    insert_span(state, 0, 1, 1)
    insert_span(state, (LEVEL_SIZE - 1) * PAGE, 1, 2)
    assert state.static[0].nodes == ROOT + 1 + 3
    assert state.system[0].footprint == before + 3 * NODE_BYTES


def test_null_node_is_never_written(state: Go2008) -> None:
    for boundary in BOUNDARIES.values():
        insert_span(state, (boundary - 1) * PAGE, 2, 6)
    assert not state.node[0].any()


def test_frozen_map_inserts_only_pages_that_need_no_node(state: Go2008) -> None:
    insert_span(state, 0, 1, 1)
    state.system[0].frozen = 1
    assert insert_span(state, PAGE, 1, 2)
    assert not insert_span(state, 2**39 * PAGE, 1, 3)
    assert state.system[0].refusal == Status.FROZEN
    assert span_of(state, 2**39 * PAGE) == 0


def test_full_table_of_nodes_fails(state: Go2008) -> None:
    room = len(state.node) - int(state.static[0].nodes)
    for number in range(room // 3):
        assert insert_span(state, (number << 39) * PAGE, 1, 1)
    assert not insert_span(state, ((room // 3) << 39) * PAGE, 1, 1)
    assert state.static[0].nodes <= len(state.node)
    assert state.system[0].refusal == Status.OUT_OF_MEMORY


def nodes_needed(first: int, pages: int) -> int:
    """Return the number of nodes for a range of pages, with the root and the null node."""
    last = first + pages - 1
    return 2 + sum((last >> shift) - (first >> shift) + 1 for shift in (13, 26, 39))


@pytest.mark.parametrize("pages", [1, 2, 2**13, 2**13 + 1, 3 * 2**13, 2**26, 2**26 + 2, 2**33])
def test_max_nodes_is_enough_wherever_the_range_begins(pages: int) -> None:
    starts = [boundary + ahead for boundary in BOUNDARIES.values() for ahead in (-pages, -1, 0, 1)]
    worst = max(nodes_needed(max(start, 0), pages) for start in starts)
    assert worst <= max_nodes(pages * PAGE) <= worst + 3


def test_max_nodes_of_two_pages_is_exact() -> None:
    assert max_nodes(2 * PAGE) == nodes_needed(2**39 - 1, 2) == 8


starts = st.sampled_from([0, *BOUNDARIES.values(), LAST_PAGE - 100])
runs = st.tuples(starts, st.integers(0, 60), st.integers(1, 40))


@given(st.lists(runs, max_size=8))
def test_map_equals_a_dictionary(entered: list[tuple[int, int, int]]) -> None:
    expected: dict[int, int] = {}
    with Heap(reserve=1 << 20) as heap:
        state = heap.state._replace(node=table(np.int64, 64, LEVEL_SIZE))
        for span, (near, ahead, pages) in enumerate(entered, 1):
            first = near + ahead
            assert insert_span(state, first * PAGE, pages, span)
            expected |= dict.fromkeys(range(first, first + pages), span)
        pages_near = {page + offset for page in expected for offset in (-1, 0, 1)} - {-1}
        for page in sorted(pages_near):
            assert span_of(state, page * PAGE) == expected.get(page, 0)


def test_boundaries_are_in_ascending_order() -> None:
    assert all(low < high for low, high in pairwise(BOUNDARIES.values()))
