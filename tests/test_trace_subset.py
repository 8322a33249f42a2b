"""Subsets of a trace: they have whole objects, are valid, and depend only on the random seed."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocsim.call_sites.frame import Frame
from allocsim.call_sites.table import table_of_addresses
from allocsim.core.jit import PURE
from allocsim.events import Op, Trace
from allocsim.trace_stats import collect_stats
from allocsim.trace_subset import ALL, Choice, random_share, subset_of
from tests.call_sites.stacks import stacks_of, with_sites
from tests.driving import Call, free, malloc, realloc
from tests.traces.recordings import Event, events_of, rows_of
from tests.traces.streams import streams, trace_of, valid_calls

HALF = ALL // 2


def taken(calls: list[Call], choice: Choice) -> tuple[list[Event], Trace]:
    """Return the events of a subset, and its trace, which is consumed."""
    piece = subset_of(trace_of(calls), choice)
    return rows_of(events_of(piece)), piece


def slice_of(calls: list[Call], first: int, last: int) -> tuple[list[Call], int]:
    """Return the calls of a slice, and the number of dropped calls of older objects."""
    event, kept, inside, dropped = 0, list[Call](), set[int](), 0
    for call in calls:
        is_call = call.op <= Op.FREE
        if first <= event < last:
            if call.op < Op.REALLOC:
                inside.add(call.object)
            if not is_call or call.object in inside:
                kept.append(call)
            else:
                dropped += 1
        if call.op == Op.FREE:
            inside.discard(call.object)
        event += is_call
    return kept, dropped


def plainly(calls: list[Call], choice: Choice) -> list[tuple[int, int, int, int]]:
    """Return the subset that `subset_of` should return, with threads renumbered."""
    stretch, _ = slice_of(calls, choice.first, choice.last)
    inside: dict[int, bool] = {}
    threads: dict[int, int] = {}
    piece: list[tuple[int, int, int, int]] = []
    allocations = 0
    for call in stretch:
        if call.op > Op.FREE:
            known = call.thread in threads or call.op == Op.FREEZE
            if known and (call.op != Op.FREEZE or choice.keep == ALL):
                piece.append((call.op, 0, 0, threads.get(call.thread, 0)))
            continue
        if call.op < Op.REALLOC:
            allocations += 1
            inside[call.object] = random_share(allocations, choice.seed) < choice.keep
        if inside[call.object]:
            thread = threads.setdefault(call.thread, len(threads))
            piece.append((call.op, call.request, call.alignment, thread))
    return piece


choices = st.builds(
    lambda first, length, keep, seed: Choice(first, first + length, keep, seed),
    st.integers(0, 60),
    st.integers(1, 60),
    st.sampled_from((ALL, ALL, HALF, ALL // 10)),
    st.integers(0, 1 << 62),
)


@given(calls=streams, choice=choices)
def test_subset_equals_that_of_dictionaries(calls: list[Call], choice: Choice) -> None:
    events, _ = taken(calls, choice)
    assert [event[:4] for event in events] == plainly(calls, choice)


@given(calls=streams, choice=choices)
def test_subset_is_valid_and_its_ids_are_dense(calls: list[Call], choice: Choice) -> None:
    seen = collect_stats(subset_of(trace_of(calls), choice))
    assert seen.faults == {}
    assert seen.threads == seen.thread_numbers
    events, _ = taken(calls, choice)
    peak = live = 0
    for op, *_, number in events:
        live += (op < Op.REALLOC) - (op == Op.FREE)
        peak = max(peak, live)
        assert number < max(peak, 1)


CALLS = [malloc(0, 1), malloc(1, 2), realloc(0, 3), free(1), malloc(1, 4), free(0), free(1)]


def test_cut_drops_the_calls_of_objects_allocated_before() -> None:
    events, piece = taken(CALLS, Choice(first=1, last=6))
    assert events == [(Op.MALLOC, 2, 0, 0, 0), (Op.FREE, 0, 0, 0, 0), (Op.MALLOC, 4, 0, 0, 0)]
    assert piece.dropped == {}
    assert piece.notes == ["dropped by the cut: born before the cut (2)"]


@given(calls=streams, last=st.integers(1, 60))
def test_cut_from_the_beginning_ends_with_the_objects_that_are_live_there(
    calls: list[Call], last: int
) -> None:
    live: dict[int, int] = {}
    for call in [call for call in calls if call.op <= Op.FREE][:last]:
        live[call.object] = call.request
        if call.op == Op.FREE:
            del live[call.object]
    seen = collect_stats(subset_of(trace_of(calls), Choice(last=last)))
    assert (seen.live_objects, seen.live_bytes) == (len(live), sum(live.values()))


@given(calls=streams, choice=choices)
def test_calls_of_objects_allocated_before_the_cut_are_counted(
    calls: list[Call], choice: Choice
) -> None:
    _, piece = taken(calls, choice)
    _, dropped = slice_of(calls, choice.first, choice.last)
    notes = [note for note in piece.notes if "by the cut" in note]
    assert notes == ([f"dropped by the cut: born before the cut ({dropped:,})"] if dropped else [])


@pytest.mark.parametrize(("length", "read"), [(None, 4), (len(CALLS), 2)])
def test_trace_of_known_length_is_not_read_beyond_the_cut(length: int | None, read: int) -> None:
    whole, count = trace_of(CALLS, chunk=2, length=length), 0
    chunks = whole.chunks

    def counted() -> Iterator[Any]:
        """Count the chunks that are read."""
        nonlocal count
        for chunk in chunks:
            count += 1
            yield chunk

    whole.chunks = counted()
    collect_stats(subset_of(whole, Choice(last=3)))
    assert count == read


@given(calls=streams, choice=choices)
def test_events_of_a_subset_keep_their_stacks(calls: list[Call], choice: Choice) -> None:
    # Each allocating call has its own site, so that a wrong one is noticed.
    numbers = iter(range(1, 1 + len(calls)))
    tagged = [replace(call, request=next(numbers)) for call in calls if call.op <= Op.FREE]
    allocating = [call for call in tagged if call.op <= Op.REALLOC]
    frames = [[Frame(f"f{call.request}")] for call in allocating]
    count = len(frames) + 1
    table = table_of_addresses([0] * count, range(count), [[Frame("none")], *frames])
    whole = with_sites(tagged, table, range(1, count))
    for op, request, stack in stacks_of(subset_of(whole, choice)):
        assert [it.function for it in stack] == ([f"f{request}"] if op != Op.FREE else [])


def test_what_is_never_freed_is_live_at_the_end_of_the_cut() -> None:
    seen = collect_stats(subset_of(trace_of(CALLS[:-1]), Choice(first=1, last=5)))
    assert (seen.allocations, seen.frees, seen.live_objects, seen.live_bytes) == (2, 1, 1, 4)


def test_cut_of_everything_is_everything() -> None:
    events, piece = taken(CALLS, Choice())
    assert len(events) == len(CALLS)
    assert piece.dropped == {}


def test_cut_after_the_end_is_empty() -> None:
    assert taken(CALLS, Choice(first=100))[0] == []


def test_cut_counts_events_and_not_notes() -> None:
    calls = [malloc(0, 1), Call(Op.THREAD_DONE), Call(Op.FREEZE), malloc(1, 2), malloc(2, 3)]
    events, _ = taken(calls, Choice(first=1, last=2))
    assert [event[:2] for event in events] == [(Op.FREEZE, 0), (Op.MALLOC, 2)]


def test_sample_keeps_whole_objects() -> None:
    calls = valid_calls(5, 200 if PURE else 3000, freezes=False)
    whole, piece = (
        collect_stats(trace_of(calls)),
        collect_stats(subset_of(trace_of(calls), Choice(keep=HALF))),
    )
    assert 0.35 < piece.allocations / whole.allocations < 0.65
    assert piece.allocations - piece.frees == piece.live_objects


def test_samples_of_all_seeds_together_hold_every_object_about_evenly() -> None:
    allocations, seeds = 50, 40 if PURE else 400
    kept = Counter(
        allocation
        for seed in range(seeds)
        for allocation in range(allocations)
        if random_share(allocation, seed) < HALF
    )
    assert all(0.2 < kept[allocation] / seeds < 0.8 for allocation in range(allocations))


def test_sampled_share_is_the_requested_one() -> None:
    count = 2000 if PURE else 100_000
    for keep in (ALL // 2, ALL // 10):
        for seed in (0, 1, 1 << 40):
            found = sum(random_share(allocation, seed) < keep for allocation in range(1, count))
            assert abs(found / count - keep / ALL) < 0.04


@pytest.mark.parametrize("allocation", [0, 1, (1 << 31) - 1, 1 << 31, 1 << 40, 1 << 61])
@pytest.mark.parametrize("seed", [0, 1, 1 << 31, 1 << 62])
def test_share_is_below_all_however_large_the_numbers(allocation: int, seed: int) -> None:
    assert 0 <= random_share(allocation, seed) < ALL


def test_same_seed_keeps_the_same_and_another_seed_others() -> None:
    calls = valid_calls(5, 200)
    first, again, other = (taken(calls, Choice(keep=HALF, seed=seed))[0] for seed in (3, 3, 4))
    assert first == again
    assert first != other


def test_sample_is_not_frozen_and_a_note_says_so() -> None:
    events, piece = taken([malloc(0, 1), Call(Op.FREEZE), free(0)], Choice(keep=ALL - 1))
    assert Op.FREEZE not in [event[0] for event in events]
    assert piece.notes == [
        "the sample does not freeze the heap: a freeze is valid only for the whole trace"
    ]


def test_subset_describes_the_whole_trace() -> None:
    whole = trace_of(CALLS, seed=7, dropped={"overlap": 2000}, notes=["a note"])
    piece = subset_of(whole, Choice(first=1, last=4))
    assert len(events_of(piece)) == 2
    assert piece.description["source"] == whole.description | {"piece": {"from": 1, "to": 4}}
    assert (piece.seed, piece.length) == (7, None)
    assert piece.notes == [
        "a note",
        "dropped by the cut: born before the cut (1)",
        "dropped or repaired in the whole trace: overlap (2,000)",
    ]


def test_subset_of_a_subset_describes_the_first_trace() -> None:
    first = subset_of(trace_of(CALLS), Choice(first=1))
    second = subset_of(first, Choice(keep=ALL // 100, seed=5))
    assert second.description["source"]["kind"] == "trace"
    assert second.description["source"]["piece"] == {"keep": 0.01, "seed": 5}
    second.close()


def test_table_grows_to_a_large_id() -> None:
    calls = [malloc(100_000, 5), malloc(1, 6), free(100_000), malloc(70_000, 7)]
    events, _ = taken(calls, Choice())
    assert [event[4] for event in events] == [0, 1, 0, 0]
