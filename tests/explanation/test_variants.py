"""Variants of a workload, without a group of objects or with that group alone."""

import os
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from allocsim.benchmark.event_file import write_events
from allocsim.benchmark.event_part import part_of
from allocsim.events import EVENT, Op, Trace
from allocsim.explanation.variants import variant
from allocsim.traces.event_facts import LARGE, TIMES, UNTOUCHED
from tests.call_sites.stacks import random_table, with_sites
from tests.driving import Call, free, malloc, random_calls, stream_of
from tests.playing import cut, trace_of


def model(calls: list[Call], event: int, kept: bool) -> list[Call]:
    """Return what must remain of the first `event` calls.

    The group is the objects that were allocated with 100 to 5,000 bytes. With `kept`, the calls of
    these objects remain, otherwise the calls of all others.
    """
    members: dict[int, bool] = {}
    found = []
    for call in calls[:event]:
        if call.op < Op.REALLOC:
            members[call.object] = 100 <= call.request <= 5000
        if members[call.object] == kept:
            found.append(call)
    return found


def match(calls: Any, _first: int, _sites: np.ndarray) -> np.ndarray:
    """Match requests of 100 to 5,000 bytes."""
    matched: np.ndarray = (calls.request >= 100) & (calls.request <= 5000)
    return matched


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("chunk", [7, 1000])
def test_variant_has_all_calls_of_the_objects_that_stay(kept: bool, chunk: int) -> None:
    calls = random_calls(2, 300, objects=30)
    for event in (0, 150, 300):
        found = variant(trace_of(*cut(stream_of(calls), chunk)), event, match, kept).alone().chunks
        events = [row for part in found for row in part.tolist()]
        assert events == stream_of(model(calls, event, kept)).tolist()


def test_notes_stay() -> None:
    calls = [Call(Op.MALLOC, 0, 8), Call(Op.THREAD_DONE, thread=0), Call(Op.FREE, 0)]
    (kept,) = variant(trace_of(stream_of(calls)), 2, match, True).alone().chunks
    assert kept.op.tolist() == [Op.THREAD_DONE]


def test_match_gets_the_number_of_the_first_call_without_notes() -> None:
    firsts = []

    def noting(calls: Any, first: int, _sites: np.ndarray) -> np.ndarray:
        """Store `first` and how many calls there are; match all calls."""
        firsts.append((len(calls), first))
        return np.ones(len(calls), np.bool_)

    calls = [Call(Op.MALLOC, 0, 8), Call(Op.THREAD_DONE), Call(Op.MALLOC, 1, 8), Call(Op.FREE, 0)]
    for _ in variant(trace_of(*cut(stream_of(calls), 2)), 3, noting, True).alone().chunks:
        pass
    assert firsts == [(1, 0), (2, 1)]


def test_match_gets_the_site_of_each_call() -> None:
    calls = [malloc(0, 8), malloc(1, 8), free(0), malloc(0, 8)]
    trace = with_sites(calls, random_table(1), [7, 8, 7])
    kept = variant(trace, 4, lambda _calls, _first, sites: sites == 7, True).alone().chunks
    assert [row for chunk in kept for row in chunk.object.tolist()] == [0, 0, 0]


def test_facts_about_rows_stay_with_their_objects() -> None:
    calls = [malloc(0, 200), Call(Op.THREAD_DONE), malloc(1, 4 * LARGE), malloc(2, 2 * LARGE)]
    facts = {UNTOUCHED: [[2, LARGE], [3, LARGE]], TIMES: [[0, 0], [2, 10], [3, 20], [4, 30]]}
    whole = Trace("t", iter([stream_of(calls)]), {"source": facts})
    part = variant(whole, 3, match, kept=False)
    file = write_events(replace(part.trace, chunks=iter([stream_of(calls)])))
    kept = part_of(file, part.remaining_calls())
    events = np.frombuffer(os.pread(kept.descriptor, 1 << 20, 0), EVENT)
    file.close()
    kept.close()
    assert events["object"].tolist() == [1, 2]
    assert events["alignment"].tolist() == [192, 128]
    assert kept.times == [(0, 0), (0, 10), (1, 20), (2, 30)]
