"""Blocks without addresses: which one a recording means that names only where blocks were made.

Below `heaptrack`, whose interpreted files say of a free at which allocation site its block was
made, and no more. Each site keeps a queue of its live blocks, and a free takes the oldest. Its one
rule: a block's number is used again once it is dead, so memory is bounded by the live blocks.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocsim.core.jit import kernel

BLOCKS = np.dtype(
    [
        ("sites", np.int64),  # sites so far
        ("used", np.int64),  # block numbers given out so far, from 1 on
        ("spare", np.int64),  # the first of those that are free to use again; 0: none
    ]
)

SITE = np.dtype(
    [
        ("request", np.int64),  # bytes of each of its blocks
        ("first", np.int64),  # the oldest live block; 0: none
        ("last", np.int64),  # the youngest, when there is an oldest
    ]
)

STEP = 16
"""The invented address of a block is this times its number."""

NEVER = 1 << 59
"""An address at which no block lives."""


class Blocks(NamedTuple):
    """The live blocks of all sites."""

    counts: np.recarray  # one BLOCKS
    sites: np.recarray  # SITE
    following: np.ndarray  # int64 by block: the next younger of its site, or the next spare one


def roomier(blocks: Blocks, sites: int, more: int) -> Blocks:
    """The same with room for so many more sites and blocks."""
    counts = blocks.counts[0]
    needed, followers = counts.sites + sites, counts.used + 1 + more
    if needed > len(blocks.sites):
        larger = np.zeros(2 * needed, SITE).view(np.recarray)
        larger[: counts.sites] = blocks.sites[: counts.sites]
        blocks = blocks._replace(sites=larger)
    if followers > len(blocks.following):
        longer = np.zeros(2 * followers, np.int64)
        longer[: counts.used + 1] = blocks.following[: counts.used + 1]
        blocks = blocks._replace(following=longer)
    return blocks


@kernel
def add_site(blocks: Blocks, request: int) -> None:
    """A further site, whose blocks are all of that size."""
    counts = blocks.counts[0]
    site = blocks.sites[counts.sites]
    site.request = request
    site.first = 0
    counts.sites += 1


@kernel
def allocate(blocks: Blocks, site: int) -> int:
    """The address of a new block of the site."""
    counts, owner, following = blocks.counts[0], blocks.sites[site], blocks.following
    if counts.spare:
        block = counts.spare
        counts.spare = following[block]
    else:
        counts.used += 1
        block = counts.used
    following[block] = 0
    if owner.first:
        following[owner.last] = block
    else:
        owner.first = block
    owner.last = block
    return block * STEP


@kernel
def free(blocks: Blocks, site: int) -> int:
    """The address of the site's oldest live block, which dies; NEVER if it has none."""
    counts, owner, following = blocks.counts[0], blocks.sites[site], blocks.following
    block = owner.first
    if block == 0:
        return NEVER
    owner.first = following[block]
    following[block] = counts.spare
    counts.spare = block
    return block * STEP
