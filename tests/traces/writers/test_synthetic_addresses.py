"""Invented addresses: live objects never overlap, each is aligned, freed blocks are reused."""

import random

import pytest

from allocsim.core.jit import PURE
from allocsim.traces.writers.synthetic_addresses import (
    FIRST,
    address_of,
    allocate,
    free,
    has_room,
    new_address_space,
    reallocate,
    with_room_for,
)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_live_objects_never_overlap_and_are_aligned(seed: int) -> None:
    rng, space = random.Random(seed), new_address_space(64)
    live: dict[int, tuple[int, int]] = {}
    for _ in range(200 if PURE else 3000):
        number = rng.randrange(40)
        if not has_room(space, number):
            space = with_room_for(space, number)
        size = int(2 ** rng.uniform(0, 30)) - 1
        if number not in live:
            shift = rng.choice((0, 0, 4, 12, 20))
            live[number] = (allocate(space, number, size, shift), size)
            assert live[number][0] % (1 << max(shift, 4)) == 0
        elif rng.random() < 0.3:
            assert address_of(space, number) == live[number][0]
            live[number] = (reallocate(space, number, size), size)
        else:
            assert free(space, number) == live.pop(number)[0]
        ends = sorted((at, at + length) for at, length in live.values())
        assert all(end <= at for (_, end), (at, _) in zip(ends, ends[1:], strict=False))  # noqa: RUF007
        assert all(at >= FIRST for at, _ in live.values())


def test_freed_block_is_reused_by_the_next_object_of_its_length() -> None:
    space = new_address_space()
    first = allocate(space, 0, 100, 0)
    assert free(space, 0) == first
    assert allocate(space, 1, 128, 0) == first
    assert allocate(space, 2, 128, 0) != first


def test_object_keeps_its_block_while_the_length_fits() -> None:
    space = new_address_space()
    first = allocate(space, 0, 100, 0)
    assert reallocate(space, 0, 65) == first
    assert reallocate(space, 0, 64) != first


def test_object_that_moves_frees_its_block() -> None:
    space = new_address_space()
    first = allocate(space, 0, 100, 0)
    second = reallocate(space, 0, 1000)
    assert second != first
    assert allocate(space, 1, 100, 0) == first


def test_addresses_stay_within_60_bits() -> None:
    space = new_address_space(1 << 14)
    found = [allocate(space, number, 1 << 47, 0) for number in range(8192)]
    assert 0 not in found[:8191]
    assert found[8191] == 0
    assert max(found) + (1 << 47) <= 1 << 60


def test_larger_tables_keep_everything() -> None:
    space = new_address_space(8)
    found = [allocate(space, number, 50, 0) for number in range(6)]
    assert has_room(space, 7)
    assert not has_room(space, 8)
    larger = with_room_for(space, 5000)
    assert has_room(larger, 5000)
    assert [address_of(larger, number) for number in range(6)] == found
