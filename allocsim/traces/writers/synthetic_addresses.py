"""Invented addresses for objects: no two that are live overlap, and each lies as it should.

Below the writer of text, which has to name objects by addresses. Memory is cut into blocks whose
lengths are powers of two and which lie at multiples of their length; an object takes a block that
holds it and its alignment, and a free block serves the next object of its length. Its one rule: a
block never changes its length, so blocks never overlap.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import Record
from allocsim.traces.calls import ADDRESS_BITS

LEAST_SHIFT = 4
"""log2 of the shortest block: malloc's usual alignment."""

FIRST = 1 << 16
"""The lowest address that is given out."""

STATE = np.dtype(
    [
        ("end", np.int64),  # the address behind all blocks
        ("blocks", np.int64),  # blocks cut so far
        ("written", np.int64),  # bytes in the current output of the writer
    ]
)

BLOCK = np.dtype(
    [
        ("address", np.int64),
        ("shift", np.int64),  # log2 of its length
        ("next", np.int64),  # the number of the next free block of its length, from 1; 0 ends it
    ]
)


class Places(NamedTuple):
    """Which object lies where."""

    state: np.recarray  # one STATE
    blocks: np.recarray  # BLOCK by number; 0 is none
    objects: np.ndarray  # int64: the number of its block by object number
    free: np.ndarray  # int64: the first free block by shift; 0: there is none


def no_places(objects: int = 1 << 12) -> Places:
    """The state before the first object."""
    places = Places(
        np.zeros(1, STATE).view(np.recarray),
        np.zeros(objects, BLOCK).view(np.recarray),
        np.zeros(objects, np.int64),
        np.zeros(ADDRESS_BITS + 1, np.int64),
    )
    places.state[0].end = FIRST
    return places


def grown(places: Places, number: int) -> Places:
    """The same state with room for the object of that number, and for another block."""
    objects, blocks = places.objects, places.blocks
    if number >= len(objects):
        objects = np.zeros(2 << number.bit_length(), np.int64)
        objects[: len(places.objects)] = places.objects
    if not has_room(places, 0):
        blocks = np.zeros(2 * len(blocks), BLOCK).view(np.recarray)
        blocks[: len(places.blocks)] = places.blocks
    return places._replace(objects=objects, blocks=blocks)


@kernel
def has_room(places: Places, number: int) -> bool:
    """Whether the tables hold the object of that number and one block more."""
    has_row = number < len(places.objects)
    return has_row and places.state[0].blocks + 1 < len(places.blocks)


@kernel
def address_of(places: Places, number: int) -> int:
    """Where the object lies."""
    return places.blocks[places.objects[number]].address


@kernel
def place(places: Places, number: int, size: int, alignment: int) -> int:
    """The address of a block for the object, aligned to 2**alignment; 0 if there is none left."""
    shift = _shift_for(size, alignment)
    block = places.free[shift]
    if block:
        places.free[shift] = places.blocks[block].next
    else:
        block = _cut(places.state[0], places, shift)
    places.objects[number] = block
    return places.blocks[block].address


@kernel
def move(places: Places, number: int, size: int) -> int:
    """The address of a block for the object's new size, the old one if it fits; 0 if none is."""
    old = places.objects[number]
    if places.blocks[old].shift == _shift_for(size, 0):
        return places.blocks[old].address
    address = place(places, number, size, 0)
    _free(places, old)
    return address


@kernel
def release(places: Places, number: int) -> int:
    """The address of the object, whose block is free now."""
    block = places.objects[number]
    _free(places, block)
    return places.blocks[block].address


@kernel
def _cut(state: Record, places: Places, shift: int) -> int:
    """The number of a new block; 0 if the addresses are used up."""
    length = 1 << shift
    address = (state.end + length - 1) & -length
    if address + length > 1 << ADDRESS_BITS:
        return 0
    state.end = address + length
    state.blocks += 1
    block = places.blocks[state.blocks]
    block.address = address
    block.shift = shift
    return state.blocks


@kernel
def _free(places: Places, block: int) -> None:
    """Let the next object of its length have the block."""
    freed = places.blocks[block]
    freed.next = places.free[freed.shift]
    places.free[freed.shift] = block


@kernel
def _shift_for(size: int, alignment: int) -> int:
    """log2 of the length of the block for so many bytes."""
    shift = max(LEAST_SHIFT, int(alignment))
    while 1 << shift < size:
        shift += 1
    return shift
