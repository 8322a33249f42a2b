"""What every design answers from its SYSTEM record alone: freezing, refusals, the footprint.

Above `operations`; a design says once that its state has such a record. Its one rule: `footprint`
is kept up to date by whoever obtains memory or gives it back, so asking costs one load.
"""

from __future__ import annotations

from allocsim.core import operations
from allocsim.core.jit import answers, kernel
from allocsim.core.operations import Status
from allocsim.core.records import HeapState


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
