"""What an address means: whether an object begins there, by the record of its span.

Above the records; below the designs, whose free asks it first. Its one rule: it reads and never
writes, so an address that is refused leaves everything as it was.
"""

from __future__ import annotations

from allocsim.core.jit import kernel
from allocsim.core.operations import Status
from allocsim.core.records import LARGE, RECIPROCAL_SHIFT, Record, SpanState


@kernel
def address_status(record: Record, address: int) -> int:
    """Whether free would take `address`, which lies on a page of the span `record`."""
    if record.state != SpanState.IN_USE:
        return Status.UNKNOWN_POINTER
    offset = address - record.address
    if record.size_class == LARGE:
        return Status.OK if offset == 0 else Status.NOT_SPAN_START
    index = offset * record.reciprocal >> RECIPROCAL_SHIFT
    if index * record.object_size != offset or index >= record.objects:
        return Status.NOT_OBJECT_START
    return Status.OK
