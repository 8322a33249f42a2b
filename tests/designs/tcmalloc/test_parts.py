"""Parts of a tcmalloc heap, release on request, and reports of classes and caches."""

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.operations import Status
from allocsim.core.records import PARTS, HeapState
from allocsim.designs.tcmalloc import DESIGN
from allocsim.designs.tcmalloc.size_classes import PAGE
from tests.calling import malloc, measured
from tests.conftest import contents
from tests.designs.tcmalloc.lookup import MEDIUM, SIZES


def test_release_on_request_releases_whole_spans(tcmalloc_heap: Heap, tcmalloc: HeapState) -> None:
    address = malloc(tcmalloc, 1 << 20)
    contents(tcmalloc_heap, address, 1 << 20)[:] = 1
    operations.free(tcmalloc, 0, address)
    before = operations.footprint(tcmalloc)
    assert operations.release(tcmalloc, 5) == 1 << 20
    assert operations.footprint(tcmalloc) == before - (1 << 20)
    assert operations.flush_deferred_writes(tcmalloc) == Status.OK
    assert tcmalloc_heap.resident() == 0
    assert tcmalloc_heap.check() == []


def test_each_part_is_counted(tcmalloc: HeapState) -> None:
    malloc(tcmalloc, 2800)  # a span of 3 pages: 8 objects of 2816 bytes and a tail of 2048
    operations.free(tcmalloc, 0, malloc(tcmalloc, 2800))
    malloc(tcmalloc, MEDIUM)
    sample = measured(tcmalloc, 302_800)
    expected = {
        "live": 302_800,
        "rounding": 2816 + 37 * PAGE - 302_800,
        "tail": 2048,
        "thread_cache": 2 * 2816,
        "central": 5 * 2816,
        "free_spans": (128 - 3 - 37) * PAGE,
    }
    assert {name: int(sample[name]) for name in PARTS if sample[name]} == expected
    assert sample.heap == sum(expected.values()) == 1 << 20
    assert (sample.refills, sample.grows) == (1, 1)


def test_classes_report_what_each_holds(tcmalloc: HeapState) -> None:
    held = [malloc(tcmalloc, 100) for _ in range(5)]
    operations.free(tcmalloc, 0, held[0])
    classes = DESIGN.classes
    assert classes
    used = [use for use in classes(tcmalloc) if use.spans]
    assert [(use.object_size, use.spans, use.in_use, use.free) for use in used] == [(112, 1, 4, 69)]
    assert [use.object_size for use in classes(tcmalloc)] == SIZES[1:]


def test_caches_report_their_size_and_limit() -> None:
    with Heap("tcmalloc", reserve=1 << 30) as heap:
        for address in [malloc(heap.state, 100, 3) for _ in range(3)]:
            operations.free(heap.state, 3, address)
        assert DESIGN.caches is not None
        uses = {use.thread: (use.size, use.limit) for use in DESIGN.caches(heap.state)}
        size = int(heap.state.cache[3].size_)
    assert size > 0
    assert uses == {None: (0, 65536), 0: (0, 65536), 3: (size, 65536)}
