"""Validation of a trace's rows (events and notes): each way in which a row can be invalid."""

import random
from itertools import product

import numpy as np
import pytest

from allocsim.events import EVENT, Op
from allocsim.traces.native.validate import Bounds, describe_invalid, first_invalid
from tests.driving import Call, stream, stream_of

BOUNDS = Bounds(objects=10, threads=3)
LARGEST = 1 << 47

VALID = {
    "malloc": Call(Op.MALLOC, 9, 100, 2),
    "malloc of nothing": Call(Op.MALLOC, 0, 0),
    "largest malloc": Call(Op.MALLOC, 1, LARGEST),
    "calloc": Call(Op.CALLOC, 1, 100),
    "memalign": Call(Op.MEMALIGN, 1, 100, 0, 30),
    "realloc": Call(Op.REALLOC, 1, 100),
    "free": Call(Op.FREE, 9, 0, 2),
    "end of any thread": Call(Op.THREAD_DONE, 0, 0, 65535),
    "freeze": Call(Op.FREEZE),
    "release": Call(Op.RELEASE, 0, 4096),
}

INVALID = {
    "operation 8": (Call(8), "operation 8, expected 0 to 7"),  # type: ignore[arg-type]
    "operation 255": (Call(255), "operation 255, expected 0 to 7"),  # type: ignore[arg-type]
    "negative size": (Call(Op.MALLOC, 1, -1), "a malloc with -1 bytes, expected 0 to"),
    "size beyond all": (Call(Op.CALLOC, 1, LARGEST + 1), "a calloc with 140,737,488,355,329 bytes"),
    "least size": (Call(Op.REALLOC, 1, -(1 << 63)), "a realloc with -9,223,372,036,854,775,808"),
    "object": (Call(Op.MALLOC, 10, 1), "a malloc with object 10, expected an id below 10"),
    "object of all bits": (Call(Op.FREE, (1 << 32) - 1), "a free with object 4294967295, expected"),
    "thread": (Call(Op.MALLOC, 1, 1, 3), "a malloc with thread 3, expected a number below 3"),
    "alignment of a malloc": (Call(Op.MALLOC, 1, 1, 0, 4), "an alignment of 2**4 bytes, expected"),
    "alignment of a free": (Call(Op.FREE, 1, 0, 0, 200), "an alignment of 2**200 bytes, expected"),
    "alignment of 2**31": (Call(Op.MEMALIGN, 1, 1, 0, 31), "2**31 bytes, expected at most 2**30"),
    "alignment of 2**200": (Call(Op.MEMALIGN, 1, 1, 0, 200), "2**200 bytes, expected at most"),
    "free of bytes": (Call(Op.FREE, 1, 5), "a free with a size of 5 bytes, expected none"),
    "note on an object": (Call(Op.FREEZE, 1), "a freeze with object 1, expected none"),
    "note with bytes": (Call(Op.THREAD_DONE, 0, 1), "a thread_done with a size of 1 byte,"),
    "note with an alignment": (Call(Op.FREEZE, 0, 0, 0, 1), "a freeze with an alignment of 2**1"),
}  # fmt: skip


@pytest.mark.parametrize("call", VALID.values(), ids=VALID)
def test_event_is_valid(call: Call) -> None:
    assert first_invalid(stream(call), BOUNDS) is None


@pytest.mark.parametrize(("call", "message"), INVALID.values(), ids=INVALID)
def test_invalid_row_is_found_and_described(call: Call, message: str) -> None:
    valid = list(VALID.values())
    events = stream_of([*valid, call, *valid, call])
    position = first_invalid(events, BOUNDS)
    assert position == len(valid)
    assert message in describe_invalid(events[position], BOUNDS)


def test_empty_chunk_is_valid() -> None:
    assert first_invalid(stream(), BOUNDS) is None


def test_random_bytes_are_judged_as_a_simple_rule_does() -> None:
    rng = random.Random(1)
    edges = (0, 1, 2, 9, 10, 30, 31, 200)
    rows = [
        (rng.choice((-1, 0, 1, LARGEST, LARGEST + 1)), *rest)
        for rest in product((0, 9, 10), (0, 2, 3), range(9), edges)
        if rng.random() < 0.3
    ]
    for row in rows:
        request, object_, thread, op, alignment = row
        if op in (Op.THREAD_DONE, Op.FREEZE):
            expected = request == object_ == alignment == 0
        elif op == Op.RELEASE:
            expected = 0 <= request <= LARGEST and object_ == alignment == 0
        else:
            limit = {Op.FREE: 0}.get(op, LARGEST)  # type: ignore[call-overload]
            expected = op <= Op.FREE and 0 <= request <= limit and object_ < 10 and thread < 3
            expected = expected and (alignment <= 30 if op == Op.MEMALIGN else alignment == 0)
        events = np.array([row], EVENT).view(np.recarray)
        assert (first_invalid(events, BOUNDS) is None) == expected, row
