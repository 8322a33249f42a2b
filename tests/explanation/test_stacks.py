"""Owners by stack, compared with a loop over the objects."""

import random
from collections import defaultdict

import numpy as np
import pytest

from allocsim.call_sites.frame import UNKNOWN, Frame
from allocsim.call_sites.table import EMPTY, table_of_addresses
from allocsim.errors import InputError
from allocsim.explanation.owners import Owner, unowned
from allocsim.explanation.shares import share_out
from allocsim.explanation.stacks import MEASURES, MIN_DEPTH, NO_OBJECT, Stacks, stacks_of
from tests.call_sites.stacks import SITES, random_table
from tests.explanation.test_shares import random_map


@pytest.mark.parametrize("seed", range(5))
def test_figures_are_the_sums_over_the_objects_of_a_stack(seed: int) -> None:
    rng = random.Random(seed)
    heap, table = random_map(rng, 40, 8), random_table(seed)
    shares = share_out(heap)
    # The three highest site numbers are not in the table.
    sites = np.array([rng.randrange(SITES + 3) for _ in range(40)])
    expected: dict[tuple[Frame, ...], list[int]] = defaultdict(lambda: [0] * len(MEASURES))
    for index, site in enumerate(sites.tolist()):
        stack = tuple(table.own_stack(site)) or (UNKNOWN,)
        live, usable = int(heap.request[index]), int(heap.usable[index])
        pinned, untouched = int(shares.pinned[index]), int(shares.untouched[index])
        figures = (1, live, usable - live, pinned, usable + pinned - untouched)
        expected[stack] = [sum(pair) for pair in zip(expected[stack], figures, strict=True)]
    found: dict[tuple[Frame, ...], list[int]] = defaultdict(lambda: [0] * len(MEASURES))
    total = 0
    for frames, row in stacks_of(heap, shares, sites, table).rows():
        assert tuple(row) == MEASURES
        total += row["owned"]
        if frames[-1] != NO_OBJECT:
            stack = tuple(frames)
            found[stack] = [sum(pair) for pair in zip(found[stack], row.values(), strict=True)]
    assert found == expected
    assert total == heap.footprint


def test_bytes_without_an_owner_are_stacks_with_only_owned_bytes() -> None:
    heap = random_map(random.Random(5), 1, 8)
    shares = share_out(heap)
    stacks = stacks_of(heap, shares, np.zeros(1, np.int64), random_table(1))
    parts = [(frames, row) for frames, row in stacks.rows() if frames[-1] == NO_OBJECT]
    assert {frames[0].function: row["owned"] for frames, row in parts} == {
        f"[{part}]": size for part, size in unowned(heap, shares).items()
    }
    assert len(parts) == 2
    assert all([*row.values()][:-1] == [0] * 4 for _, row in parts)


def test_calls_of_a_stack_match_it() -> None:
    heap, table = random_map(random.Random(2), 20, 4), random_table(2)
    sites = np.arange(20)
    (first, *_) = stacks_of(heap, share_out(heap), sites, table).owners
    assert first.by == "stack"
    assert int(first.name) in table.own_nodes_of(sites)


def test_workload_without_call_sites_is_an_error() -> None:
    heap = random_map(random.Random(3), 2, 2)
    with pytest.raises(InputError, match="the recording has no call sites"):
        stacks_of(heap, share_out(heap), np.zeros(2, np.int64), EMPTY)


def test_deep_stacks_lose_their_outermost_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = [[Frame("f", "/a.c", line)] for line in range(50)]
    table = table_of_addresses([0, *range(49)], range(50), chain)
    stacks = Stacks(table, [Owner("stack", "49", 1, 8, 0, 0, 8, 0, 0, 0)], {})
    ((whole, _),) = stacks.rows()
    assert len(whole) == 49
    monkeypatch.setattr("allocsim.explanation.stacks.MAX_FRAMES", 1)
    ((frames, _),) = stacks.rows()
    assert frames == whole[:MIN_DEPTH]
