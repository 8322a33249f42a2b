"""Tables from a recorded address, or thread id, to a small number.

Below `identity`, which keeps three of them. Open addressing with linear probing; the number of
slots is a power of two, at most half of them in use. Its one rule: key 0 means a free slot, so
nobody looks up 0. Where a key's home is depends on secrets of the table, its last entries: else a
recording could be made whose keys all have one home, and reading it would take hours.
"""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np

from allocsim.core.jit import kernel

ENTRY = np.dtype([("key", np.int64), ("number", np.int64)])
"""A slot of a table."""

LOW = 0x7FFFFFFF
"""31 bits, so that a product of two stays below 2**62."""

SECRETS = 2
"""Entries behind the slots."""


def empty_table(slots: int) -> Any:
    """A table of that many slots, a power of two, with two secrets of its own behind them."""
    table = np.zeros(slots + SECRETS, ENTRY).view(np.recarray)
    table.number[slots:] = [secrets.randbits(30) | 1 << 30 | 1 for _ in range(SECRETS)]
    return table


@kernel
def slots_of(table: np.recarray) -> int:
    """How many slots a table has."""
    return len(table) - SECRETS


@kernel
def _home(table: np.recarray, key: int) -> int:
    """The slot where a key is looked for first: its halves times two secrets, folded, and again.

    One multiplication without a secret is not enough, nor is one with a secret that is only added.
    """
    slots = slots_of(table)
    mixed = (key & LOW) * table[slots].number + (key >> 31) * table[slots + 1].number
    return (((mixed ^ mixed >> 31) & LOW) * 0x5851F42D >> 24) & (slots - 1)


@kernel
def slot_of(table: np.recarray, key: int) -> int:
    """The slot that holds `key`; -1 if none does."""
    slot = _home(table, key)
    while table[slot].key != key:
        if table[slot].key == 0:
            return -1
        slot = (slot + 1) & (slots_of(table) - 1)
    return slot


@kernel
def insert(table: np.recarray, key: int, number: int) -> None:
    """Put a key that is not there into the first free slot from its home on."""
    slot = _home(table, key)
    while table[slot].key != 0:
        slot = (slot + 1) & (slots_of(table) - 1)
    table[slot].key = key
    table[slot].number = number


@kernel
def remove(table: np.recarray, key: int) -> int:
    """Take a key out and return its number; -1 if it is not there.

    Later keys of the run move up to where a search from their home finds them, so there are no
    tombstones (Knuth, TAOCP 3, 6.4, algorithm R).
    """
    hole = slot_of(table, key)
    if hole < 0:
        return -1
    number = table[hole].number
    mask = slots_of(table) - 1
    slot = (hole + 1) & mask
    while table[slot].key != 0:
        home = _home(table, table[slot].key)
        if (slot - home) & mask >= (slot - hole) & mask:
            table[hole].key = table[slot].key
            table[hole].number = table[slot].number
            hole = slot
        slot = (slot + 1) & mask
    table[hole].key = 0
    return number


@kernel
def enter_all(table: np.recarray, entries: np.recarray) -> None:
    """Put every entry of a smaller table into this empty one."""
    for slot in range(slots_of(entries)):
        if entries[slot].key != 0:
            insert(table, entries[slot].key, entries[slot].number)
