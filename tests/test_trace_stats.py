"""Statistics of a stream, compared with known figures and with a model that uses dictionaries."""

from collections import Counter
from collections.abc import Iterable

import pytest

from allocsim import trace_stats
from allocsim.core.jit import PURE
from allocsim.errors import EnvironmentLacks, InputError
from allocsim.events import Op, Trace
from allocsim.trace_stats import FAULT_MEANINGS, Bin, StatsCollector, TraceStats, collect_stats
from allocsim.trace_stats_kernel import BINS, Fault, bin_of
from tests.driving import Call, free, malloc, random_calls, realloc, stream_of


def stats_of(calls: Iterable[Call], chunk: int = 7) -> TraceStats:
    """Return the statistics of the calls, passed in small chunks."""
    events = stream_of(calls)
    chunks = (events[start : start + chunk] for start in range(0, len(events), chunk))
    return collect_stats(Trace("calls", chunks, {}))


def plainly(calls: list[Call]) -> dict[str, object]:
    """Return statistics of a valid stream, counted with dictionaries."""
    live: dict[int, tuple[int, int, int]] = {}
    total = peak = when = others = 0
    sizes, ages = Counter[int](), Counter[int]()
    for number, call in enumerate(calls, start=1):
        if call.op == Op.FREE:
            _, born, thread = live.pop(call.object)
            ages[number - born] += 1
            others += thread != call.thread
            continue
        born = live[call.object][1] if call.op == Op.REALLOC else number
        live[call.object] = (call.request, born, call.thread)
        total += call.request
        sizes[call.request] += 1
        now = sum(request for request, _, _ in live.values())
        if now > peak:
            peak, when = now, number
    return {
        "requested": total,
        "peak_live": peak,
        "peak_event": when,
        "live_objects": len(live),
        "live_bytes": sum(request for request, _, _ in live.values()),
        "frees_by_another": others,
        "lifetimes": sum(age * count for age, count in ages.items()),
        "longest": max(ages, default=0),
        "by_size": binned(sizes),
        "by_lifetime": binned(ages),
        "left_by_size": binned(Counter(request for request, _, _ in live.values())),
    }


def binned(counts: Counter[int]) -> dict[int, int]:
    """Return the count of each bin, by the power of two at which the bin ends."""
    found = Counter[int]()
    for value, count in counts.items():
        found[1 << (value - 1).bit_length() if value else 0] += count
    return dict(found)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_stats_equal_those_of_dictionaries(seed: int) -> None:
    calls = random_calls(seed, 150 if PURE else 3000, objects=40, threads=3)
    found = stats_of(calls)
    for name, expected in plainly(calls).items():
        value = getattr(found, name)
        if isinstance(expected, dict):
            value = {one.most: one.count for one in value if one.count}
        assert value == expected, name
    kinds = Counter(call.op.name for call in calls)
    assert {name: count for name, count in found.operations.items() if count} == kinds
    assert (found.events, found.threads, found.thread_numbers) == (len(calls), 3, 3)
    assert found.objects == max(call.object for call in calls) + 1
    assert found.faults == {}


def test_bins_hold_the_bytes_of_their_calls() -> None:
    found = stats_of([malloc(0, 0), malloc(1, 3), malloc(2, 4), realloc(2, 9), free(1)])
    assert found.by_size == [
        Bin(0, 0, 1, 0), Bin(1, 1, 0, 0), Bin(2, 2, 0, 0), Bin(3, 4, 2, 7), Bin(5, 8, 0, 0),
        Bin(9, 16, 1, 9),
    ]  # fmt: skip
    assert found.by_lifetime == [Bin(3, 4, 1, 3)]
    assert [(one.most, one.count, one.bytes) for one in found.left_by_size if one.count] == [
        (0, 1, 0),
        (16, 1, 9),
    ]


def test_kinds_of_calls_are_summed() -> None:
    calls = [
        malloc(0, 1), Call(Op.CALLOC, 1, 2), Call(Op.MEMALIGN, 2, 3, 0, 4), realloc(0, 5), free(0),
        Call(Op.FREEZE), Call(Op.THREAD_DONE),
    ]  # fmt: skip
    found = stats_of(calls)
    assert (found.allocations, found.reallocations, found.frees, found.events) == (3, 1, 1, 5)


def test_stats_of_an_empty_stream() -> None:
    found = stats_of([])
    assert (found.events, found.threads, found.objects, found.by_size) == (0, 0, 0, [])


def test_notes_are_no_calls_of_their_thread() -> None:
    found = stats_of([malloc(0, 1), Call(Op.THREAD_DONE, thread=5)])
    assert (found.events, found.threads, found.thread_numbers) == (1, 1, 1)


def test_who_resized_an_object_last_is_who_should_free_it() -> None:
    assert stats_of([malloc(0, 1, 0), realloc(0, 2, 1), free(0, 1)]).frees_by_another == 0
    assert stats_of([malloc(0, 1, 0), realloc(0, 2, 1), free(0, 0)]).frees_by_another == 1


@pytest.mark.parametrize("value", [0, 1, 2, 3, 4, 5, 8, 9, 4096, 4097, 1 << 47, (1 << 62) - 1])
def test_bin_ends_at_a_power_of_two(value: int) -> None:
    assert bin_of(value) == ((value - 1).bit_length() + 1 if value else 0)
    assert bin_of(value) < BINS


FAULTY = {
    Fault.ALLOCATED_TWICE: ([malloc(0, 5), malloc(0, 7)], 2, (1, 7)),
    Fault.FREED_TWICE: ([malloc(0, 5), free(0), free(0)], 3, (0, 0)),
    Fault.RESIZED_DEAD: ([malloc(0, 5), realloc(1, 7)], 2, (2, 12)),
}


@pytest.mark.parametrize(("fault", "case"), FAULTY.items(), ids=lambda value: str(value)[:20])
def test_fault_is_counted_and_the_stats_go_on(
    fault: Fault, case: tuple[list[Call], int, tuple[int, int]]
) -> None:
    calls, first, left = case
    found = stats_of([*calls, *calls[1:], Call(Op.MALLOC, 9, 1)])
    assert next(iter(found.faults)) == FAULT_MEANINGS[fault]
    assert found.faults[FAULT_MEANINGS[fault]][1] == first
    one = stats_of(calls)
    assert one.faults == {FAULT_MEANINGS[fault]: (1, first)}
    assert (one.live_objects, one.live_bytes) == left


def test_impossible_live_bytes_are_a_fault_and_saturate() -> None:
    half = 1 << 61
    found = stats_of([malloc(0, half), malloc(1, half), malloc(2, half), free(0), malloc(3, half)])
    assert found.faults == {FAULT_MEANINGS[Fault.TOO_LARGE]: (1, 3)}
    assert found.peak_live == found.live_bytes == found.requested == 1 << 62


def test_invalid_stream_is_an_error_with_its_first_fault() -> None:
    collector = StatsCollector()
    collector.add(stream_of([malloc(0, 5)]))
    collector.require_valid("my trace")
    collector.add(stream_of([malloc(0, 5), malloc(0, 5)]))
    with pytest.raises(InputError, match="my trace: event 2 allocates an object that is live"):
        collector.require_valid("my trace")


def test_table_grows_to_a_large_id() -> None:
    found = stats_of([malloc(100_000, 5), free(100_000), malloc(5000, 1)])
    assert (found.objects, found.live_objects, found.faults) == (100_001, 1, {})


def test_id_beyond_the_limit_is_an_error() -> None:
    with pytest.raises(InputError, match=r"event 2 names object 2147483648; .* below 2\*\*31"):
        stats_of([malloc(0, 5), malloc(1 << 31, 5)])


def test_table_beyond_memory_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> object:
        raise MemoryError

    monkeypatch.setattr(trace_stats, "with_room_for", fail)
    with pytest.raises(EnvironmentLacks, match="event 1 names object 5000: not enough memory"):
        stats_of([malloc(5000, 5)])


def test_interrupted_collection_closes_its_trace() -> None:
    closed = []

    def chunks() -> Iterable[object]:
        try:
            yield stream_of([malloc(0, 5)])
            raise KeyboardInterrupt
        finally:
            closed.append(True)

    with pytest.raises(KeyboardInterrupt):
        collect_stats(Trace("t", iter(chunks()), {}))
    assert closed == [True]
