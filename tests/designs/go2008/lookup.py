"""Look up records of a go2008 heap, for tests."""

from allocsim.core.operations import Status
from allocsim.designs.go2008.records import Go2008
from tests.calling import chained
from tests.conftest import PAGE

RANGES = [
    (8, 120, 8),
    (128, 240, 16),
    (256, 480, 32),
    (512, 960, 64),
    (1024, 1920, 128),
    (2048, 32768, 256),
]
"""First size, last size and step of each range of classes, from the table of Go's first malloc."""

SIZES = [size for first, last, step in RANGES for size in range(first, last + 1, step)]

LARGE_SIZE = 32768
"""The smallest large request."""


def slot(size: int) -> int:
    """Return the usable bytes of an object for a request: a size in SIZES, or whole pages."""
    if size >= LARGE_SIZE:
        return -(-size // PAGE) * PAGE
    return next(known for known in SIZES if known >= size)


def span_list(state: Go2008, index: int) -> list[int]:
    """Return the spans of a page list, head first."""
    spans, span = [], int(state.page_list[index].head)
    while span:
        spans.append(span)
        span = int(state.span[span].next)
    return spans


def links(state: Go2008, thread: int, size_class: int) -> list[int]:
    """Return a thread's free objects of a class: the linked ones, then the never-used ones."""
    objects = state.free_list[thread, size_class]
    fresh = range(int(objects.fresh), int(objects.end), SIZES[size_class])
    return chained(int(objects.head)) + list(fresh)


def records(state: Go2008) -> list[bytes]:
    """Return all records, without the last failure and the free lists of unused threads."""
    system = state.system.copy()
    system.refusal = Status.OK
    return [table.tobytes() for table in (system, *state[1:-1], state.free_list[:4])]
