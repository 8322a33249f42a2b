"""The one door to the operating system: pages, metadata, release, and the account of each.

Every design takes memory here and nowhere else, so a frozen heap fails every request, metadata
included. Pages for spans come from the heap's reservation in address order; records live in tables
of their own, and only their bytes are counted here.

Invariant: footprint = heap - released + metadata. Each of the four is counted by itself.
"""

from __future__ import annotations

from typing import Protocol

from allocsim.core import operations
from allocsim.core.jit import answers, kernel
from allocsim.core.operations import Status
from allocsim.core.raw import advise
from allocsim.core.records import Counters, Sample, System, Table

RELEASE = 4
"""Linux's MADV_DONTNEED: the contents of the pages are lost, and they use no memory."""


class HasSystem(Protocol):
    """A heap's state, as far as this module knows it."""

    @property
    def system(self) -> Table[System]:
        """One record."""


@kernel
def take_pages(heap: HasSystem, length: int) -> int:
    """Obtain `length` bytes for a span; return their address, or 0 on failure (see `refusal`).

    `length` is a multiple of the design's page size, and so is the address.
    """
    system = heap.system[0]
    if system.frozen:
        system.refusal = Status.FROZEN
        return 0
    if length > system.limit - system.next:
        system.refusal = Status.OUT_OF_MEMORY
        return 0
    address = system.next
    system.next = address + length
    system.heap += length
    system.footprint += length
    return address


@kernel
def count_metadata(heap: HasSystem, length: int) -> bool:
    """Count `length` bytes of metadata as obtained; return False if the heap is frozen."""
    system = heap.system[0]
    if system.frozen:
        system.refusal = Status.FROZEN
        return False
    system.metadata += length
    system.footprint += length
    return True


@kernel
def release_pages(heap: HasSystem, address: int, length: int) -> None:
    """Give `length` bytes of whole pages back to the operating system; their contents are lost."""
    advise(address, length, RELEASE)
    system = heap.system[0]
    system.released += length
    system.footprint -= length


@kernel
def reuse_pages(heap: HasSystem, length: int) -> None:
    """Count `length` released bytes as in use again; the kernel maps them when they are written.

    Never fails: a frozen heap may use what it has obtained.
    """
    system = heap.system[0]
    system.released -= length
    system.footprint += length


@kernel
def fill_system(heap: HasSystem, sample: Sample) -> None:
    """Fill heap, metadata and footprint; a design fills `released` from its own count of pages."""
    system = heap.system[0]
    sample.heap = system.heap
    sample.metadata = system.metadata
    sample.footprint = system.footprint


@kernel
def fill_counts(counters: Counters, sample: Sample) -> None:
    """Fill the counts of `sample` (a SAMPLE) from COUNTERS."""
    sample.spans_total = counters.spans
    sample.spans_free = counters.free_spans
    sample.spans_in_use = counters.spans - counters.free_spans
    sample.grows = counters.grows
    sample.splits = counters.splits
    sample.coalesces = counters.coalesces
    sample.refills = counters.refills


@kernel
def freeze(heap: HasSystem) -> int:
    """The operating system is asked for nothing from now on."""
    heap.system[0].frozen = 1
    return Status.OK


@kernel
def refusal(heap: HasSystem) -> int:
    """Why the last request was refused."""
    return heap.system[0].refusal


@kernel
def footprint(heap: HasSystem) -> int:
    """What was obtained, less what was given back."""
    return heap.system[0].footprint


def answer_from_system(state: type) -> None:
    """Let heaps of type `state` answer these three from their SYSTEM record."""
    answers(operations.freeze, state)(freeze)
    answers(operations.refusal, state)(refusal)
    answers(operations.footprint, state)(footprint)
