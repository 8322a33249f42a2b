"""The workload `empirical`: a heap in the steady state that a table describes."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from allocsim.errors import InputError, JobError
from allocsim.events import CHUNK, MAX_OBJECTS, Op
from allocsim.generators import empirical
from allocsim.generators.empirical import Empirical
from allocsim.jobs import find_job, read_job
from allocsim.quantities import Size
from allocsim.text import format_bytes
from tests.conftest import SCALE
from tests.fuzz import cases
from tests.generators.streams import assert_valid, digest, events_of
from tests.mutations import mutated

TABLE = "8, 30, 100\n100, 10, 50\n24, 60, 400\n1000, 0.5, 4\n"


@pytest.fixture
def table(tmp_path: Path) -> str:
    """Return the path of a table of four sizes."""
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    return str(path)


def steady(table: str, *, heap: int = 30_000, ops: int = 300, **more: float) -> Empirical:
    return Empirical(file=table, heap=Size(heap), ops=ops, **more)  # type: ignore[arg-type]


def test_stream_of_seed_1_never_changes(table: str) -> None:
    assert digest(steady(table, ops=500, threads=3), 1000) == "7f2b5a848bce77a3"


def test_seed_decides_the_events(table: str) -> None:
    assert (events_of(steady(table)) == events_of(steady(table))).all()
    first, second = events_of(steady(table)), events_of(steady(table, seed=2))
    assert first.tobytes() != second.tobytes()


def test_events_are_valid(table: str) -> None:
    assert_valid(steady(table, ops=200 * SCALE, threads=3))


def test_initial_population_comes_first_and_is_noted(table: str) -> None:
    trace = steady(table, heap=60_000).trace("mine")
    rows = [tuple(row) for chunk in trace.chunks for row in chunk[["op", "request"]].tolist()]
    initial, live = 0, 0
    for op, request in rows:
        if live >= 60_000:
            break
        assert op == Op.MALLOC
        initial, live = initial + 1, live + request
    assert len(rows) == initial + 300
    (note,) = trace.notes
    assert note == (
        f"the first {initial:,} events allocate the initial population: {format_bytes(live)}"
    )


def test_live_objects_of_each_size_stay_as_in_the_table(table: str) -> None:
    """The mean counts of live objects are within 10%. Pure mode has fewer steps: within 40%."""
    events = events_of(steady(table, heap=40_000, ops=3000 * SCALE))
    sizes, live, seen = dict[int, int](), Counter[int](), Counter[int]()
    for request, number, _, op, _ in events.tolist():
        if op == Op.MALLOC:
            sizes[number] = request
            live[request] += 1
        else:
            live[sizes.pop(number)] -= 1
        seen.update(live)
    scale = 40_000 / (8 * 100 + 100 * 50 + 24 * 400 + 1000 * 4)
    for size, expected in {8: 100, 100: 50, 24: 400, 1000: 4}.items():
        tolerance = 0.1 if SCALE > 1 else 0.4
        assert seen[size] / len(events) == pytest.approx(expected * scale, rel=tolerance)


def test_sizes_are_allocated_at_their_rates(table: str) -> None:
    events = events_of(steady(table, heap=40_000, ops=3000 * SCALE))
    steps = events[len(events) - 3000 * SCALE :]
    requests = steps.request[steps.op == Op.MALLOC]
    assert len(requests) == pytest.approx(1500 * SCALE, rel=0.1)
    for size, rate in {8: 30, 100: 10, 24: 60}.items():
        assert np.mean(requests == size) == pytest.approx(rate / 100.5, rel=0.1)


def test_threads_share_the_events(table: str) -> None:
    assert set(events_of(steady(table, threads=4)).thread.tolist()) == set(range(4))
    assert set(events_of(steady(table)).thread.tolist()) == {0}


@pytest.mark.parametrize("steady_state", [False, True])
def test_size_of_an_allocation_does_not_depend_on_its_thread(
    table: str, steady_state: bool
) -> None:
    """Each thread allocates a quarter of the objects of each size, within 5 standard deviations."""
    heap, ops = (60_000, 2000 * SCALE) if steady_state else (60_000 * SCALE, 1)
    events = events_of(steady(table, threads=4, heap=heap, ops=ops))
    events = events[-ops:] if steady_state else events[:-1]
    made = events[events.op == Op.MALLOC]
    for size in (8, 24, 100):
        threads = made.thread[made.request == size]
        assert len(threads) > 50
        deviation = np.sqrt(len(threads) * 0.25 * 0.75)
        counts = np.bincount(threads, minlength=4)
        assert np.abs(counts - len(threads) / 4).max() < 5 * deviation, (size, counts)


def test_sizes_above_a_share_of_the_heap_are_dropped_and_noted(table: str) -> None:
    trace = steady(table, heap=10_000, largest=0.01).trace("mine")
    sizes = {request for chunk in trace.chunks for request in chunk.request.tolist()}
    assert sizes == {0, 8, 24, 100}
    assert trace.notes[0] == (
        "dropped 1 of 4 sizes: those above 100 B, with 20.6% of the table's live bytes"
    )


def test_heap_in_which_nothing_fits_is_an_error(table: str) -> None:
    with pytest.raises(InputError, match=r"the sizes up to 5 B.*use a larger heap"):
        steady(table, heap=100)


def test_heap_of_too_many_objects_is_an_error(table: str) -> None:
    with pytest.raises(InputError, match="objects, the maximum; use a smaller heap"):
        steady(table, heap=50 * MAX_OBJECTS)


def test_a_billion_events_do_not_delay_the_first_chunk(table: str) -> None:
    chunks = steady(table, ops=10**9).events()
    next(chunks)
    assert len(next(chunks)) == CHUNK


def test_initial_population_spans_chunks(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(empirical, "CHUNK", 64)
    events = assert_valid(steady(table, ops=10))
    assert events.request[:-10].sum() >= 30_000


def test_path_of_the_table_is_relative_to_the_job_file(table: str, tmp_path: Path) -> None:
    job = tmp_path / "job.toml"
    job.write_text('kind = "empirical"\nfile = "table.csv"\nheap = "30KiB"\nops = 5\n')
    generator = read_job(job)
    assert isinstance(generator, Empirical)
    assert (generator.file, generator.heap) == (table, 30 << 10)


def test_error_in_a_table_names_the_job_and_the_table(table: str, tmp_path: Path) -> None:
    job = tmp_path / "job.toml"
    job.write_text('kind = "empirical"\nfile = "job.toml"\n')
    with pytest.raises(JobError, match=r"job\.toml: .*job\.toml, line 1: found 'kind"):
        read_job(job)


def test_damaged_table_is_read_or_an_input_error(tmp_path: Path) -> None:
    rng, path, accepted = random.Random(3), tmp_path / "table.csv", 0
    count = cases(compiled=200, pure=20)
    for _ in range(count):
        path.write_bytes(mutated(TABLE.encode(), rng))
        try:
            chunks = steady(str(path), ops=20).events()
        except InputError:
            continue
        next(chunks)
        accepted += 1
    assert count / 10 < accepted < count


def test_bundled_job_is_valid() -> None:
    generator = read_job(find_job("sqlite-steady"))
    assert isinstance(generator, Empirical)
    chunk = next(generator.events())
    assert chunk.request.sum() >= generator.heap
