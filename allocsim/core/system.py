"""The trivial allocator: the one door to the operating system, and the account of what passed it.

Above `memory`; every stage that needs pages or a record asks here. Pages for spans come from the
heap's reservation, one after the other; records live in tables of their own, which are never
moved, and here is booked what they cost. Its one rule: when frozen, it refuses everything.
"""

from __future__ import annotations

from allocsim.core import operations
from allocsim.core.jit import answers, kernel
from allocsim.core.operations import Status
from allocsim.core.records import HeapState, Record


@kernel
def take_pages(heap: HeapState, length: int) -> int:
    """The address of `length` fresh bytes for a span, a multiple of the page size; 0: refused."""
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
def fill_counts(counters: Record, sample: Record) -> None:
    """Fill the counts of `sample` (a SAMPLE) from COUNTERS."""
    sample.spans_total = counters.spans
    sample.spans_free = counters.free_spans
    sample.spans_in_use = counters.spans - counters.free_spans
    sample.grows = counters.grows
    sample.splits = counters.splits
    sample.coalesces = counters.coalesces
    sample.refills = counters.refills


@kernel
def freeze(heap: HeapState) -> int:
    """The operating system is asked for nothing from now on."""
    heap.system[0].frozen = 1
    return Status.OK


@kernel
def refusal(heap: HeapState) -> int:
    """Why the last request was refused."""
    return heap.system[0].refusal


@kernel
def footprint(heap: HeapState) -> int:
    """What was obtained, less what was given back."""
    return heap.system[0].footprint


def answer_from_system(state: type) -> None:
    """Let heaps of type `state` answer these three from their SYSTEM record."""
    answers(operations.freeze, state)(freeze)
    answers(operations.refusal, state)(refusal)
    answers(operations.footprint, state)(footprint)
