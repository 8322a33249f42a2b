"""Steps on slots: a full slot is emptied, an empty one filled; its number is the object's id."""

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from allocsim.events import Op, no_events
from allocsim.generators.random import toggle


@given(st.lists(st.integers(0, 7), max_size=40), st.integers(0, 255))
def test_slots_toggle(slots: list[int], full: int) -> None:
    filled = np.array([full >> slot & 1 for slot in range(8)], np.uint8)
    model = filled.tolist()
    sizes = [random.Random(slot).randrange(1 << 40) for slot in range(len(slots))]
    events = no_events(len(slots))
    events.thread[:] = 3
    toggle(filled, np.array(slots, np.int64), np.array(sizes, np.int64), events)
    for slot, size, event in zip(slots, sizes, events.tolist(), strict=True):
        expected = (0, slot, 3, Op.FREE, 0) if model[slot] else (size, slot, 3, Op.MALLOC, 0)
        assert event == expected
        model[slot] ^= 1
    assert filled.tolist() == model


def test_events_that_were_used_before_are_overwritten() -> None:
    events = no_events(1)
    events.request[:] = 999
    events.op[:] = Op.REALLOC
    toggle(np.ones(1, np.uint8), np.zeros(1, np.int64), np.ones(1, np.int64), events)
    assert events[0].tolist() == (0, 0, 0, Op.FREE, 0)
