"""Invent addresses for heaptrack files that record only the allocation site of each block.

A site is a place in the program that allocates blocks of one size. Each site has a FIFO queue of
its live blocks, and a free removes the oldest block. A block's address is its number
times SLOT_SIZE. The numbers of freed blocks are reused, so memory use is bounded by the number of
live blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import grown, records
from allocsim.traces.calls import SLOT_SIZE


class SiteCounts(Struct):
    """Counters of the sites and blocks."""

    sites: Int64  # sites defined so far
    blocks: Int64  # highest block number used so far; the first is 1
    spare: Int64  # first block number to reuse; 0 if none exists


class Site(Struct):
    """An allocation site."""

    request: Int64  # size of each of its blocks in bytes
    first: Int64  # oldest live block; 0 if none exists
    last: Int64  # youngest live block, if `first` is not 0
    stack: Int64  # number of the call stack of its calls; 0 if unknown


UNKNOWN = 1 << 59
"""The address of a free at a site without live blocks. No block ever has this address."""


class Sites(NamedTuple):
    """All sites and their live blocks."""

    counts: Table[SiteCounts]  # one row
    sites: Table[Site]
    following: np.ndarray  # int64 by block: next younger block of the site, or next spare block


def new_sites() -> Sites:
    """Return the state before the first site."""
    return Sites(records(SiteCounts), records(Site, 0), np.zeros(1, np.int64))


def with_room_for(state: Sites, sites: int, blocks: int) -> Sites:
    """Return the same state with room for `sites` more sites and `blocks` more blocks.

    The kernels below do not check for room.
    """
    counts = state.counts[0]
    max_sites, max_blocks = counts.sites + sites, counts.blocks + 1 + blocks
    if max_sites > len(state.sites):
        state = state._replace(sites=grown(state.sites, max_sites))
    if max_blocks > len(state.following):
        state = state._replace(following=grown(state.following, max_blocks))
    return state


@kernel
def add_site(state: Sites, request: int, stack: int = 0) -> None:
    """Define the next site, with the size of its blocks and the number of its call stack."""
    counts = state.counts[0]
    site = state.sites[counts.sites]
    site.request = request
    site.first = 0
    site.stack = stack
    counts.sites += 1


@kernel
def allocate(state: Sites, number: int) -> int:
    """Append a block to the queue of site `number`; return the block's address."""
    counts, site, following = state.counts[0], state.sites[number], state.following
    if counts.spare:
        block = counts.spare
        counts.spare = following[block]
    else:
        counts.blocks += 1
        block = counts.blocks
    following[block] = 0
    if site.first:
        following[site.last] = block
    else:
        site.first = block
    site.last = block
    return block * SLOT_SIZE


@kernel
def free(state: Sites, number: int) -> int:
    """Free the oldest block of site `number`; return its address, or UNKNOWN if none is live."""
    counts, site, following = state.counts[0], state.sites[number], state.following
    block = site.first
    if block == 0:
        return UNKNOWN
    site.first = following[block]
    following[block] = counts.spare
    counts.spare = block
    return block * SLOT_SIZE
