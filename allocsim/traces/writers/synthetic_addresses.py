"""Invented addresses for formats that need them: live objects never overlap and are aligned.

The scheme resembles a buddy allocator without splitting: the length of a block is a power of two,
and the block's address is a multiple of this length. An object gets the shortest block that
satisfies its size and alignment. A free block is reused by the next object that needs a block of
the same length. Blocks cannot overlap, because they never change their length.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import grown, records
from allocsim.traces.calls import ADDRESS_BITS

MIN_SHIFT = 4
"""log2 of the shortest block's length. This length, 16 bytes, is malloc's usual alignment."""

FIRST = 1 << 16
"""The lowest address used."""


class SpaceState(Struct):
    """Counters of an address space."""

    end: Int64  # end address of all blocks (exclusive)
    blocks: Int64  # blocks made so far


class Block(Struct):
    """A block of addresses."""

    address: Int64
    shift: Int64  # log2 of the block's length
    next: Int64  # number of the next free block of the same length; 0 for the last


class AddressSpace(NamedTuple):
    """Blocks of addresses, and the block of each object."""

    state: Table[SpaceState]  # one row
    blocks: Table[Block]  # by number; block 0 is unused and has address 0, which means failure
    objects: np.ndarray  # int64 by object id: number of its block
    free: np.ndarray  # int64 by shift: first free block; 0 if none exists


def new_address_space(objects: int = 1 << 12) -> AddressSpace:
    """Return the state before the first object."""
    space = AddressSpace(
        records(SpaceState),
        records(Block, objects),
        np.zeros(objects, np.int64),
        np.zeros(ADDRESS_BITS + 1, np.int64),
    )
    space.state[0].end = FIRST
    return space


def with_room_for(space: AddressSpace, number: int) -> AddressSpace:
    """Return the same state with room for the object with id `number` and one more block."""
    objects, blocks = space.objects, space.blocks
    if number >= len(objects):
        objects = grown(objects, number + 1)
    if not has_room(space, 0):
        blocks = grown(blocks, len(blocks) + 1)
    return space._replace(objects=objects, blocks=blocks)


@kernel
def has_room(space: AddressSpace, number: int) -> bool:
    """Return whether the tables have room for the object with id `number` and one more block."""
    has_row = number < len(space.objects)
    return has_row and space.state[0].blocks + 1 < len(space.blocks)


@kernel
def address_of(space: AddressSpace, number: int) -> int:
    """Return the address of an object."""
    return space.blocks[space.objects[number]].address


@kernel
def allocate(space: AddressSpace, number: int, size: int, alignment: int) -> int:
    """Give an object a block aligned to 2**alignment bytes; return the address, or 0 on failure."""
    shift = _shift_for(size, alignment)
    block = space.free[shift]
    if block:
        space.free[shift] = space.blocks[block].next
    else:
        block = _new_block(space, shift)
    space.objects[number] = block
    return space.blocks[block].address


@kernel
def reallocate(space: AddressSpace, number: int, size: int) -> int:
    """Give an object a block for its new size; return the block's address, or 0 on failure.

    The object keeps its block if the new size needs a block of the same length.
    """
    old = space.objects[number]
    if space.blocks[old].shift == _shift_for(size, 0):
        return space.blocks[old].address
    address = allocate(space, number, size, 0)
    _free_block(space, old)
    return address


@kernel
def free(space: AddressSpace, number: int) -> int:
    """Free the block of an object; return the block's address."""
    block = space.objects[number]
    _free_block(space, block)
    return space.blocks[block].address


@kernel
def _new_block(space: AddressSpace, shift: int) -> int:
    """Make a block of 2**shift bytes; return the block's number, or 0 if no address is left."""
    state = space.state[0]
    length = 1 << shift
    address = (state.end + length - 1) & -length
    if address + length > 1 << ADDRESS_BITS:
        return 0
    state.end = address + length
    state.blocks += 1
    block = space.blocks[state.blocks]
    block.address = address
    block.shift = shift
    return state.blocks


@kernel
def _free_block(space: AddressSpace, number: int) -> None:
    """Push a block on the free list of its length."""
    block = space.blocks[number]
    block.next = space.free[block.shift]
    space.free[block.shift] = number


@kernel
def _shift_for(size: int, alignment: int) -> int:
    """Return log2 of the block length for `size` bytes aligned to 2**alignment bytes."""
    shift = max(MIN_SHIFT, int(alignment))
    while 1 << shift < size:
        shift += 1
    return shift
