"""Invented addresses: no two live objects overlap, each is aligned, freed blocks serve again."""

import random

import pytest

from allocsim.core.jit import PURE
from allocsim.traces.writers.synthetic_addresses import (
    FIRST,
    address_of,
    grown,
    has_room,
    move,
    no_places,
    place,
    release,
)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_live_objects_never_overlap_and_are_aligned(seed: int) -> None:
    rng, places = random.Random(seed), no_places(64)
    live: dict[int, tuple[int, int]] = {}
    for _ in range(200 if PURE else 3000):
        number = rng.randrange(40)
        if not has_room(places, number):
            places = grown(places, number)
        size = int(2 ** rng.uniform(0, 30)) - 1
        if number not in live:
            shift = rng.choice((0, 0, 4, 12, 20))
            live[number] = (place(places, number, size, shift), size)
            assert live[number][0] % (1 << max(shift, 4)) == 0
        elif rng.random() < 0.3:
            assert address_of(places, number) == live[number][0]
            live[number] = (move(places, number, size), size)
        else:
            assert release(places, number) == live.pop(number)[0]
        ends = sorted((at, at + length) for at, length in live.values())
        assert all(end <= at for (_, end), (at, _) in zip(ends, ends[1:], strict=False))  # noqa: RUF007
        assert all(at >= FIRST for at, _ in live.values())


def test_freed_block_serves_the_next_object_of_its_length() -> None:
    places = no_places()
    first = place(places, 0, 100, 0)
    assert release(places, 0) == first
    assert place(places, 1, 128, 0) == first
    assert place(places, 2, 128, 0) != first


def test_object_stays_while_its_block_holds_it_well() -> None:
    places = no_places()
    first = place(places, 0, 100, 0)
    assert move(places, 0, 65) == first
    assert move(places, 0, 64) != first


def test_object_that_moves_leaves_its_block() -> None:
    places = no_places()
    first = place(places, 0, 100, 0)
    second = move(places, 0, 1000)
    assert second != first
    assert place(places, 1, 100, 0) == first


def test_addresses_end_before_the_bits_that_do_not_count() -> None:
    places = no_places(1 << 14)
    found = [place(places, number, 1 << 47, 0) for number in range(8192)]
    assert 0 not in found[:8191]
    assert found[8191] == 0
    assert max(found) + (1 << 47) <= 1 << 60


def test_growing_keeps_everything() -> None:
    places = no_places(8)
    found = [place(places, number, 50, 0) for number in range(6)]
    assert has_room(places, 7)
    assert not has_room(places, 8)
    larger = grown(places, 5000)
    assert has_room(larger, 5000)
    assert [address_of(larger, number) for number in range(6)] == found
