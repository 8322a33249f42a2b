"""Hash tables that map a recorded address, thread id or process id to a small number.

The tables use open addressing with linear probing. The capacity is a power of two, and the caller
keeps at least half of the slots free. Key 0 marks a free slot, so 0 must not be looked up. The
hash depends on random numbers, which are stored after the slots. Without them, someone could craft
a recording whose keys all collide. The import of such a recording of 120,000 calls took 20 s, and
the time grows with the square of the number of calls.
"""

from __future__ import annotations

import secrets

from allocsim.core.jit import kernel
from allocsim.core.records import Int64, Struct, Table
from allocsim.core.tables import records


class Entry(Struct):
    """A slot of a table."""

    key: Int64  # 0: the slot is free
    number: Int64


MASK = 0x7FFFFFFF
"""The low 31 bits. The product of two 31-bit numbers is below 2**62, and so fits into an int64."""

SECRETS = 2
"""Number of records after the slots. These records store the table's random numbers."""


def new_hash_table(slots: int) -> Table[Entry]:
    """Return an empty table with its own random numbers; `slots` must be a power of two."""
    table = records(Entry, slots + SECRETS)
    table.number[slots:] = [secrets.randbits(30) | 1 << 30 | 1 for _ in range(SECRETS)]
    return table


@kernel
def capacity_of(table: Table[Entry]) -> int:
    """Return the number of slots of a table."""
    return len(table) - SECRETS


@kernel
def _home(table: Table[Entry], key: int) -> int:
    """Return the slot where the search for `key` starts: a keyed hash of `key`.

    Each half of the key is multiplied by one of the table's two random numbers. A multiplication by
    a public constant would not be enough, and neither would adding a random number: an attacker
    could still find keys that collide.
    """
    slots = capacity_of(table)
    # The low 24 bits are dropped, because they depend only on the low bits of the factors.
    mixed = (key & MASK) * table[slots].number + (key >> 31) * table[slots + 1].number
    return (((mixed ^ mixed >> 31) & MASK) * 0x5851F42D >> 24) & (slots - 1)


@kernel
def find_slot(table: Table[Entry], key: int) -> int:
    """Return the slot of `key`, or -1 if the key is not in the table."""
    slot = _home(table, key)
    while table[slot].key != key:
        if table[slot].key == 0:
            return -1
        slot = (slot + 1) & (capacity_of(table) - 1)
    return slot


@kernel
def find_place(table: Table[Entry], key: int) -> int:
    """Return the slot of `key` or, if the key is not in the table, the free slot for it."""
    slot = _home(table, key)
    while table[slot].key != 0 and table[slot].key != key:
        slot = (slot + 1) & (capacity_of(table) - 1)
    return slot


@kernel
def insert(table: Table[Entry], key: int, number: int) -> None:
    """Insert a key that is not in the table yet. The table must have a free slot."""
    slot = _home(table, key)
    while table[slot].key != 0:
        slot = (slot + 1) & (capacity_of(table) - 1)
    table[slot].key = key
    table[slot].number = number


@kernel
def remove(table: Table[Entry], key: int) -> int:
    """Remove a key and return its number, or -1 if the key is not in the table.

    A key after the freed slot moves into that slot if a search for the key would pass the slot.
    Therefore no tombstones are needed (Knuth, TAOCP 3, 6.4, algorithm R).
    """
    hole = find_slot(table, key)
    if hole < 0:
        return -1
    number = table[hole].number
    mask = capacity_of(table) - 1
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
def insert_all(table: Table[Entry], entries: Table[Entry]) -> None:
    """Insert every entry of a smaller table into an empty table."""
    for slot in range(capacity_of(entries)):
        if entries[slot].key != 0:
            insert(table, entries[slot].key, entries[slot].number)
