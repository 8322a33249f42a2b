"""Tables of call sites: stacks, own frames, groups; no table can cause an endless loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocsim.call_sites.frame import UNKNOWN, Frame
from allocsim.call_sites.pruning import pruned
from allocsim.call_sites.table import EMPTY, SiteTable, table_of_addresses
from tests.call_sites.stacks import FRAMES, SITES, random_table

MAIN, SERVE, NEW, MALLOC, *_ = FRAMES


def test_stack_goes_from_the_innermost_frame_to_the_outermost() -> None:
    table = table_of_addresses([0, 0, 1, 2], [0, 0, 1, 2], [[MAIN], [SERVE], [MALLOC, NEW]])
    assert table.stack(3) == [MALLOC, NEW, SERVE, MAIN]
    assert table.stack(1) == [MAIN]


def test_unknown_sites_have_no_stack() -> None:
    table = random_table(1)
    assert [table.stack(site) for site in (0, -1, SITES, 1 << 40)] == [[]] * 4
    assert table.describe(0) == EMPTY.describe(5) == "[unknown]"


def test_address_without_frames_is_unknown() -> None:
    table = table_of_addresses([0, 0, 1], [0, 0, 1], [[MAIN], []])
    assert table.stack(2) == [UNKNOWN, MAIN]


def test_parent_that_is_not_a_lower_number_counts_as_none() -> None:
    table = table_of_addresses([0, 1, 3, 0], [0, 0, 0, 0], [[MAIN]])
    assert [len(table.stack(site)) for site in range(4)] == [0, 1, 1, 1]


def test_own_frame_is_the_first_that_is_neither_allocator_nor_runtime() -> None:
    table = table_of_addresses([0, 0, 1, 2], [0, 0, 1, 2], [[MAIN], [SERVE], [MALLOC, NEW]])
    assert table.describe(3) == "serve app.cpp:19"
    assert table.describe(3, callers=2) == "serve app.cpp:19 < main app.cpp:26"


def test_without_an_own_frame_the_runtime_is_shown_and_else_the_innermost_frame() -> None:
    copy = Frame("memcpy", module="/lib/libc.so.6")
    table = table_of_addresses([0, 0, 1, 2, 0], [0, 1, 0, 2, 2], [[NEW], [copy], [MALLOC]])
    assert table.describe(3) == "memcpy libc.so.6"
    assert table.describe(4) == "malloc libc.so.6"


@given(seed=st.integers(0, 1 << 32))
def test_groups_are_the_own_frames_of_the_sites(seed: int) -> None:
    table = random_table(seed)
    groups = table.groups
    assert groups.frames[0] == UNKNOWN
    assert len({*groups.frames}) == len(groups.frames)
    for site in range(SITES):
        own = table.own_stack(site)
        assert groups.frames[groups.of_site[site]] == (own[0] if own else UNKNOWN)


@given(seed=st.integers(0, 1 << 32), used=st.lists(st.integers(0, SITES + 2)))
def test_pruned_table_has_the_stacks_of_the_used_sites_and_no_more(
    seed: int, used: list[int]
) -> None:
    table = random_table(seed)
    smaller = pruned(table, [0, *used])
    assert len(smaller) == len(used) + 1
    assert [smaller.stack(site + 1) for site in range(len(used))] == [*map(table.stack, used)]
    reached = {0}
    for node in smaller.node_of.tolist():
        while node not in reached:
            reached.add(node)
            node = int(smaller.parents[node])
    assert reached == {*range(len(smaller.parents))}
    assert {*smaller.frame_of.tolist(), 0} == {*range(len(smaller.frames))}


def test_deep_stack_is_cut_and_does_not_take_long() -> None:
    depth = 1 << 16
    table = table_of_addresses(np.arange(depth) - 1, np.zeros(depth, np.int64), [[MALLOC]])
    assert len(table.stack(depth - 1)) == 1 << 10
    assert len(pruned(table, [0, depth - 1]).parents) == depth
    assert table.groups.frames == [UNKNOWN, MALLOC]


def test_equal_frames_with_different_numbers_are_one_group() -> None:
    ones = np.array([0, 1, 2], np.uint32)
    table = SiteTable([UNKNOWN, MAIN, MAIN], np.zeros(3, np.uint32), ones, ones)
    assert table.groups.of_site.tolist() == [0, 1, 1]


@pytest.mark.parametrize("sites", [1, 2])
def test_table_of_no_or_one_stack(sites: int) -> None:
    table = table_of_addresses([0] * sites, [0] * sites, [[MAIN]])
    assert len(table.groups.of_site) == len(table) == sites
