"""Addresses that the reader invents for blocks: FIFO within a site, and reuse of numbers."""

import random
from collections import deque

import pytest

from allocsim.traces.calls import SLOT_SIZE
from allocsim.traces.readers.heaptrack_sites import (
    UNKNOWN,
    Sites,
    add_site,
    allocate,
    free,
    new_sites,
    with_room_for,
)
from tests.conftest import SCALE


def no_blocks(sites: int = 0) -> Sites:
    blocks = with_room_for(new_sites(), sites, 1)
    for site in range(sites):
        add_site(blocks, 8 * site)
    return blocks


def test_oldest_block_of_the_site_is_freed() -> None:
    blocks = with_room_for(no_blocks(2), 0, 4)
    first, other, second = (allocate(blocks, site) for site in (0, 1, 0))
    assert (first, other, second) == (SLOT_SIZE, 2 * SLOT_SIZE, 3 * SLOT_SIZE)
    assert [free(blocks, 0), free(blocks, 0), free(blocks, 0)] == [first, second, UNKNOWN]
    assert free(blocks, 1) == other


def test_number_is_reused() -> None:
    blocks = no_blocks(1)
    for _ in range(10):
        assert allocate(blocks, 0) == SLOT_SIZE
        assert free(blocks, 0) == SLOT_SIZE
    assert blocks.counts[0].blocks == 1


def test_growing_keeps_what_is_there() -> None:
    blocks = no_blocks(1)
    allocate(blocks, 0)
    larger = with_room_for(blocks, 100, 100)
    assert len(larger.sites) >= 101
    assert free(larger, 0) == SLOT_SIZE
    assert with_room_for(larger, 1, 1).sites is larger.sites


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_queues_are_those_of_a_simple_model(seed: int) -> None:
    rng, steps = random.Random(seed), 200 * SCALE
    blocks = with_room_for(no_blocks(5), 0, steps)
    queues: list[deque[int]] = [deque() for _ in range(5)]
    for _ in range(steps):
        site = rng.randrange(5)
        if rng.random() < 0.55:
            address = allocate(blocks, site)
            assert all(address not in queue for queue in queues)
            queues[site].append(address)
        else:
            assert free(blocks, site) == (queues[site].popleft() if queues[site] else UNKNOWN)
