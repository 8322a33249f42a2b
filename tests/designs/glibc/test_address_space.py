"""Ranges at the end of the reservation: placed, merged, reused and returned to the middle."""

import random

from allocsim.core import operations
from tests.designs.glibc.conftest import MakeHeap, malloc

MIB = 1 << 20


def test_mappings_are_placed_from_the_end_downwards(make_glibc: MakeHeap) -> None:
    heap = make_glibc()
    one, other = malloc(heap.state, MIB, MIB)
    end = heap.memory.address + heap.memory.length
    assert (end - one, one - other) == (MIB + 4096 - 16, MIB + 4096)


def test_freed_neighbours_are_reused_for_a_longer_mapping(make_glibc: MakeHeap) -> None:
    state = make_glibc(no_dyn_threshold=1).state
    objects = malloc(state, *[MIB] * 4)
    for place in (1, 2):
        operations.free(state, 0, objects[place])
    assert malloc(state, 2 * MIB) == [objects[2]]


def test_lowest_range_goes_back_to_the_middle(make_glibc: MakeHeap) -> None:
    heap = make_glibc(no_dyn_threshold=1)
    state, before = heap.state, int(heap.state.system[0].limit)
    objects = malloc(state, *[MIB] * 4)
    for address in objects:
        operations.free(state, 0, address)
    assert int(state.system[0].limit) == before
    assert heap.check() == []


def test_mapping_grows_in_place_when_the_pages_above_are_free(make_glibc: MakeHeap) -> None:
    state = make_glibc(no_dyn_threshold=1).state
    objects = malloc(state, *[MIB] * 3)
    operations.free(state, 0, objects[0])
    assert operations.realloc(state, 0, objects[1], 2 * MIB) == objects[1]
    assert operations.realloc(state, 0, objects[2], 2 * MIB) != objects[2]


def test_mapping_that_moves_keeps_its_contents(make_glibc: MakeHeap) -> None:
    heap = make_glibc()
    one, _ = malloc(heap.state, MIB, MIB)
    content = random.Random(1).randbytes(MIB)
    heap.memory.view(one, MIB)[:] = content
    moved = operations.realloc(heap.state, 0, one, 40 * MIB)
    assert moved != one
    assert bytes(heap.memory.view(moved, MIB)) == content


def test_random_mappings_stay_valid(make_glibc: MakeHeap) -> None:
    heap, rng, live = make_glibc(mmap_threshold=4096), random.Random(5), list[int]()
    for step in range(400):
        if live and rng.random() < 0.5:
            address = live.pop(rng.randrange(len(live)))
            if rng.random() < 0.3:
                live.append(operations.realloc(heap.state, 0, address, rng.randrange(1, 90_000)))
            else:
                operations.free(heap.state, 0, address)
        else:
            live += malloc(heap.state, rng.randrange(4096, 90_000))
        if step % 40 == 0:
            assert heap.check() == []
    assert heap.check() == []
