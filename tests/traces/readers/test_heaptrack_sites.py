"""Blocks without addresses: first in, first out within a site, numbers used again."""

import random
from collections import deque

import numpy as np
import pytest

from allocsim.traces.readers.heaptrack_sites import (
    BLOCKS,
    NEVER,
    SITE,
    STEP,
    Blocks,
    add_site,
    allocate,
    free,
    roomier,
)
from tests.conftest import SCALE


def no_blocks(sites: int = 0) -> Blocks:
    counts, table = np.zeros(1, BLOCKS), np.zeros(0, SITE)
    blocks = Blocks(counts.view(np.recarray), table.view(np.recarray), np.zeros(1, np.int64))
    blocks = roomier(blocks, sites, 1)
    for site in range(sites):
        add_site(blocks, 8 * site)
    return blocks


def test_oldest_block_of_the_site_is_freed() -> None:
    blocks = roomier(no_blocks(2), 0, 4)
    first, other, second = (allocate(blocks, site) for site in (0, 1, 0))
    assert (first, other, second) == (STEP, 2 * STEP, 3 * STEP)
    assert [free(blocks, 0), free(blocks, 0), free(blocks, 0)] == [first, second, NEVER]
    assert free(blocks, 1) == other


def test_number_is_used_again() -> None:
    blocks = no_blocks(1)
    for _ in range(10):
        assert allocate(blocks, 0) == STEP
        assert free(blocks, 0) == STEP
    assert blocks.counts[0].used == 1


def test_growing_keeps_what_is_there() -> None:
    blocks = no_blocks(1)
    allocate(blocks, 0)
    larger = roomier(blocks, 100, 100)
    assert len(larger.sites) >= 101
    assert free(larger, 0) == STEP
    assert roomier(larger, 1, 1).sites is larger.sites


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_queues_are_those_of_an_obvious_model(seed: int) -> None:
    rng, steps = random.Random(seed), 200 * SCALE
    blocks = roomier(no_blocks(5), 0, steps)
    queues: list[deque[int]] = [deque() for _ in range(5)]
    for _ in range(steps):
        site = rng.randrange(5)
        if rng.random() < 0.55:
            address = allocate(blocks, site)
            assert all(address not in queue for queue in queues)
            queues[site].append(address)
        else:
            assert free(blocks, site) == (queues[site].popleft() if queues[site] else NEVER)
