"""System layer: obtains pages and metadata, releases pages, and counts the bytes.

Every design obtains memory here and nowhere else, so a frozen heap fails every request, including
requests for metadata. Pages for spans come from the heap's reservation in address order. Metadata
are records in tables outside of that reservation; this module only counts their bytes.

Invariant: footprint = heap - released + metadata. Each of the four has a counter of its own, so
`core.check` can detect that they disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from allocsim.core import operations
from allocsim.core.jit import answers, kernel
from allocsim.core.operations import Status
from allocsim.core.raw import advise
from allocsim.core.records import Counters, Sample, System, Table

MADV_DONTNEED = 4
"""The advice that releases pages on Linux: they use no memory until the next write to them, and
they read as zeros."""


class HasSystem(Protocol):
    """The part of a heap's state that this module uses."""

    @property
    def system(self) -> Table[System]:
        """A table of one record."""


@kernel
def take_pages(heap: HasSystem, length: int) -> int:
    """Obtain `length` bytes for a span; return their address, or 0 on failure (see `refusal`).

    `length` is a multiple of the design's page size, and so is the address.
    """
    system = heap.system[0]
    if not system.frozen and length > system.limit - system.next:
        system.refusal = Status.OUT_OF_MEMORY
        return 0
    if not count_pages(heap, length):
        return 0
    address = system.next
    system.next = address + length
    return address


@kernel
def exceeds_bound(heap: HasSystem, length: int) -> bool:
    """Return whether `length` more bytes would exceed the memory that the heap may use.

    The bound protects the machine from a single huge request. Without it, a realloc would copy into
    the new pages, and so use the memory, before the driver could stop the run.
    """
    system = heap.system[0]
    return system.bound != 0 and system.footprint + length > system.bound


@kernel
def count_pages(heap: HasSystem, length: int) -> bool:
    """Count `length` more bytes as obtained for the heap; the design has chosen their addresses.

    Returns False on failure (see `refusal`).
    """
    system = heap.system[0]
    if system.frozen:
        system.refusal = Status.FROZEN
        return False
    if exceeds_bound(heap, length):
        system.refusal = Status.OVER_BOUND
        return False
    system.heap += length
    system.footprint += length
    return True


@kernel
def return_pages(heap: HasSystem, address: int, length: int) -> None:
    """Return `length` bytes of whole pages to the OS permanently; the heap no longer has them."""
    advise(address, length, MADV_DONTNEED)
    system = heap.system[0]
    system.heap -= length
    system.footprint -= length


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
    """Release `length` bytes of whole pages to the operating system; their contents are lost."""
    advise(address, length, MADV_DONTNEED)
    system = heap.system[0]
    system.released += length
    system.footprint -= length


@kernel
def reuse_pages(heap: HasSystem, length: int) -> None:
    """Count `length` released bytes as in use again; the OS maps them when they are written.

    This never fails: a frozen heap may use the address space that it has already obtained.
    """
    system = heap.system[0]
    system.released -= length
    system.footprint += length


@kernel
def fill_system(heap: HasSystem, sample: Sample) -> None:
    """Fill the fields `heap`, `metadata` and `footprint` of `sample`.

    The design fills `released`. If it counts released pages itself, it uses that count, which a
    check can then compare with the count of this module.
    """
    system = heap.system[0]
    sample.heap = system.heap
    sample.metadata = system.metadata
    sample.footprint = system.footprint


@kernel
def fill_counts(counters: Counters, sample: Sample) -> None:
    """Fill the counting fields of `sample`: spans, refills and operations of the page heap."""
    sample.spans_total = counters.spans
    sample.spans_free = counters.free_spans
    sample.spans_in_use = counters.spans - counters.free_spans
    sample.grows = counters.grows
    sample.splits = counters.splits
    sample.coalesces = counters.coalesces
    sample.refills = counters.refills


@kernel
def freeze(heap: HasSystem) -> int:
    """Make every request for memory fail from now on; return Status.OK."""
    heap.system[0].frozen = 1
    return Status.OK


@kernel
def refusal(heap: HasSystem) -> int:
    """Return the Status of the last request that failed, or OK if none has."""
    return heap.system[0].refusal


@kernel
def footprint(heap: HasSystem) -> int:
    """Return the bytes obtained from the operating system and not released."""
    return heap.system[0].footprint


def answer_operations(
    state: type, kernels: Mapping[Callable[..., Any], Callable[..., Any]]
) -> None:
    """Register the kernel of each operation for heaps of type `state`.

    `kernels` maps operations to kernels. The operations freeze, refusal and footprint get the
    kernels of this module.
    """
    for operation, answer in kernels.items():
        answers(operation, state)(answer)
    answers(operations.freeze, state)(freeze)
    answers(operations.refusal, state)(refusal)
    answers(operations.footprint, state)(footprint)
