"""What tests look up in the records of a heap of the seed's design."""

from allocsim.core.operations import Status
from allocsim.core.records import HeapState
from tests.calling import chained
from tests.conftest import PAGE
from tests.designs.test_size_classes import SIZES

SMALL = 32768
"""The first size that is not small."""


def slot(size: int) -> int:
    """Bytes that the object for a request really has, from the description."""
    if size >= SMALL:
        return -(-size // PAGE) * PAGE
    return next(known for known in SIZES if known >= size)


def links(state: HeapState, thread: int, size_class: int) -> list[int]:
    """The addresses on a thread's list, head first, fresh ones last."""
    objects = state.object_list[thread, size_class]
    fresh = range(int(objects.fresh), int(objects.end), SIZES[size_class])
    return chained(int(objects.head)) + list(fresh)


def records(state: HeapState) -> list[bytes]:
    """Every record, but the last refusal and the lists of threads that do not exist."""
    system = state.system.copy()
    system.refusal = Status.OK
    return [table.tobytes() for table in (system, *state[1:-1], state.object_list[:4])]
