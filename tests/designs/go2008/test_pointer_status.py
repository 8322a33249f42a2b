"""pointer_status finds whether an object begins at an address, for any offset in a span."""

import pytest

from allocsim.core.memory import table
from allocsim.core.operations import Status
from allocsim.designs.go2008.malloc import pointer_status
from allocsim.designs.go2008.records import LARGE, RECIPROCAL_SHIFT, Span, SpanState
from tests.conftest import PAGE, SCALE
from tests.designs.go2008.lookup import SIZES

BASE = 1 << 40
"""Address of the span; no byte there is touched."""


def span_of(size: int, state: SpanState = SpanState.IN_USE) -> Span:
    """Return a span of objects of `size` bytes, or of one large object if `size` is 0."""
    chunk = min(1024 * size, 1 << 20) if size else 16 * PAGE
    record = table(Span, 1)[0]
    record.address, record.pages, record.state = BASE, -(-chunk // PAGE), state
    record.object_size, record.size_class = size, SIZES.index(size) if size else LARGE
    if size:
        record.objects = chunk // size
        record.reciprocal = ((1 << RECIPROCAL_SHIFT) + size - 1) // size
    return record


@pytest.mark.parametrize("size", [8, 24, 104, 1024, 1152, 3072, 32512, 32768])
def test_object_begins_at_its_multiples_only(size: int) -> None:
    record = span_of(size)
    length = int(record.pages) * PAGE
    front = range(min(3 * size, 100 * SCALE))
    starts = [index * size for index in range(0, int(record.objects), 5)]
    offsets = [*front, *starts, *(start + 8 for start in starts), *range(length - 100, length)]
    for offset in offsets:
        begins = offset % size == 0 and offset // size < record.objects
        expected = Status.OK if begins else Status.NOT_OBJECT_START
        assert pointer_status(record, BASE + offset) == expected


@pytest.mark.parametrize("offset", [0, 1, 8, PAGE, 16 * PAGE - 1])
def test_large_object_begins_where_its_span_does(offset: int) -> None:
    expected = Status.NOT_SPAN_START if offset else Status.OK
    assert pointer_status(span_of(0), BASE + offset) == expected


@pytest.mark.parametrize("size", [0, 24])
@pytest.mark.parametrize("state", [SpanState.NONE, SpanState.FREE, SpanState.STACK])
def test_no_object_begins_in_a_span_that_is_not_in_use(state: SpanState, size: int) -> None:
    assert pointer_status(span_of(size, state), BASE) == Status.UNKNOWN_POINTER
