"""The account of a heap: each part equals what a walk over all spans and free lists counts."""

import pytest

from allocsim.core.records import PARTS, Sample
from allocsim.core.tables import records
from allocsim.designs.go2008.account import account
from allocsim.designs.go2008.records import Go2008, SpanState
from tests.conftest import PAGE, SCALE
from tests.designs.go2008.lookup import links
from tests.driving import Sizes, few_sizes, mixed_sizes, new_run, play, random_calls, stream_of


def counted(state: Go2008, live: int) -> dict[str, int]:
    """Return the parts that this design has, counted by a walk over all spans and free lists."""
    spans = state.span[1 : int(state.counters[0].spans) + 1]
    free = sum(int(s.pages) * PAGE for s in spans if s.state == SpanState.FREE)
    small = [span for span in spans if span.objects]
    tail = sum(int(s.pages) * PAGE - int(s.objects) * int(s.object_size) for s in small)
    cached = sum(
        len(links(state, thread, size_class)) * int(state.size_class[size_class].object_size)
        for thread in range(int(state.static[0].threads))
        for size_class in range(len(state.size_class))
    )
    rest = int(state.system[0].heap) - free - tail - cached
    parts = {"live": live, "rounding": rest - live, "tail": tail, "thread_cache": cached}
    return parts | {"free_spans": free}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sizes", [few_sizes, mixed_sizes], ids=["few sizes", "mixed sizes"])
def test_parts_are_what_a_walk_over_the_heap_counts(state: Go2008, seed: int, sizes: Sizes) -> None:
    run = new_run()
    run.driver[0].threads = 2  # the fixture has begun two threads
    play(state, run, stream_of(random_calls(seed, 25 * SCALE, threads=2, sizes=sizes)))
    sample = records(Sample)[0]
    account(state, int(run.driver[0].live), sample)
    assert {name: int(sample[name]) for name in PARTS if sample[name]} == {
        name: part for name, part in counted(state, int(run.driver[0].live)).items() if part
    }
    free = int((state.span.state == SpanState.FREE).sum())
    assert (sample.spans_free, sample.spans_in_use) == (free, sample.spans_total - free)
