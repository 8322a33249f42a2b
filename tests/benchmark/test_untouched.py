"""The share of a large object that the driver does not touch."""

import os
from typing import Any

import numpy as np
import pytest

from allocsim.benchmark.event_file import write_events
from allocsim.benchmark.untouched import ALL
from allocsim.events import EVENT, Op, Trace
from allocsim.traces.event_facts import LARGE, UNTOUCHED
from tests.driving import Call, free, malloc, realloc, stream

CALLS = (malloc(0, LARGE), Call(Op.THREAD_DONE), malloc(1, 4 * LARGE), realloc(1, 8 * LARGE))
MORE = (Call(Op.CALLOC, 2, 2 * LARGE), Call(Op.CALLOC, 3, LARGE - 1), free(1), free(0))


def shares(**source: Any) -> list[int]:
    """Write events of a trace with this source to a file; return their `alignment` in the file."""
    trace = Trace("t", iter([stream(*CALLS), stream(*MORE)]), {"source": source})
    file = write_events(trace)
    events = np.frombuffer(os.pread(file.descriptor, 1 << 20, 0), EVENT)
    file.close()
    assert file.knows_touched == (UNTOUCHED in source)
    return [int(share) for share in events["alignment"]]


def test_recorded_bytes_are_a_share_of_the_object() -> None:
    pairs = [[0, 0], [2, LARGE], [3, 6 * LARGE], [4, 2 * LARGE - 4096], [6, 5], [99, 0]]
    assert shares(**{UNTOUCHED: pairs}) == [ALL, 192, 64, 4, 0, 0, 0]


def test_blocks_without_a_fact_are_touched_if_facts_were_recorded() -> None:
    assert shares(**{UNTOUCHED: []}) == [0] * 7


def test_only_large_callocs_are_untouched_if_nothing_was_recorded() -> None:
    assert shares() == [0, 0, 0, ALL, 0, 0, 0]


def test_fact_of_a_note_changes_nothing() -> None:
    calls = stream(malloc(0, LARGE), Call(Op.THREAD_DONE))
    file = write_events(Trace("t", iter([calls]), {"source": {UNTOUCHED: [[1, 0]]}}))
    assert not np.frombuffer(os.pread(file.descriptor, 1 << 20, 0), EVENT)["alignment"].any()
    file.close()


@pytest.mark.parametrize("pairs", [[[0, -5]], [[2, 1 << 62]]])
def test_impossible_facts_change_nothing(pairs: list[list[int]]) -> None:
    trace = Trace("t", iter([stream(*CALLS)]), {"source": {UNTOUCHED: pairs}})
    file = write_events(trace)
    assert not np.frombuffer(os.pread(file.descriptor, 1 << 20, 0), EVENT)["alignment"].any()
    file.close()
