"""Design files for tests: the smallest valid one, and invalid variants of it."""

from pathlib import Path

SMALLEST = '''
from typing import NamedTuple

import numpy as np

from allocsim.core import operations
from allocsim.core.jit import answers, kernel
from allocsim.core.memory import table
from allocsim.core.operations import Status
from allocsim.core.records import System
from allocsim.core.system import fill_system, take_pages
from allocsim.designs import Design

SLOT = 0x10000


class Slots(NamedTuple):
    """Every object has a slot of its own, which is never used again."""

    system: np.recarray
    live: np.recarray  # one number: slots in use


def create(memory, threads, parameters):
    heap = Slots(table(System, 1), table(np.int64, 1))
    heap.system[0].next = memory.address
    heap.system[0].limit = memory.address + memory.length
    return heap


@answers(operations.malloc, Slots)
@kernel
def malloc(heap, thread, request):
    address = take_pages(heap, SLOT)
    heap.live[0] += address != 0
    return address


@answers(operations.usable_size, Slots)
@kernel
def usable_size(heap, address):
    return SLOT if address % SLOT == 0 and address < heap.system[0].next else 0


@answers(operations.free, Slots)
@kernel
def free(heap, thread, address):
    heap.live[0] -= 1
    return Status.OK


@answers(operations.measure, Slots)
@kernel
def measure(heap, live, sample):
    sample.live = live
    sample.rounding = heap.live[0] * SLOT - live
    sample.tail = heap.system[0].heap - heap.live[0] * SLOT
    fill_system(heap, sample)
    return Status.OK


DESIGN = Design(name="slots", state=Slots, create=create)
'''
"""A design without size classes and invariants, and with defaults for all optional operations."""


def write_design(directory: Path, *changes: tuple[str, str]) -> str:
    """Write the smallest design with these texts replaced; return its path."""
    text = SMALLEST
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = directory / "slots.py"
    path.write_text(text)
    return str(path)
