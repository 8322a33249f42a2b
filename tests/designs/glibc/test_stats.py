"""Parts of a heap, and the figures of mallinfo2 and malloc_info."""

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.records import PARTS, HeapState
from allocsim.designs.glibc.stats import native_counters
from tests.calling import measured
from tests.designs.glibc.conftest import MakeHeap, fill_cache, free, malloc


def test_each_part_is_counted(glibc: HeapState) -> None:
    malloc(glibc, 100)
    free(glibc, *malloc(glibc, 24))
    big, _ = malloc(glibc, 2000, 40)
    free(glibc, big)
    malloc(glibc, 300_000)
    sample = measured(glibc, 300_140)
    expected = {
        "live": 300_140,
        "rounding": 656 + 112 + 48 + 303_104 - 300_140,
        "thread_cache": 32,
        "central": 2016,
        "free_spans": 135_168 - 656 - 112 - 32 - 48 - 2016,
    }
    assert {name: int(sample[name]) for name in PARTS} == {
        **dict.fromkeys(PARTS, 0),
        **expected,
    }
    assert sample.heap == sum(expected.values()) == 135_168 + 303_104


def test_parts_of_other_arenas_are_counted_too(busy_heap: Heap) -> None:
    taken = busy_heap.profile()
    arenas = busy_heap.state.arena
    assert taken.parts["tail"] == int(arenas.fixed.sum()) == 2 * 2256 + 48 + 32
    assert taken.parts["transfer"] == int(arenas.fast.sum()) > 0
    assert taken.parts["central"] == int(arenas.binned.sum()) > 0


def test_spans_are_chunks(glibc: HeapState) -> None:
    objects = malloc(glibc, *[2000] * 5)
    free(glibc, objects[1])
    sample = measured(glibc, 8000)
    assert (int(sample.spans_total), int(sample.spans_in_use), int(sample.spans_free)) == (7, 5, 2)
    free(glibc, objects[2])
    malloc(glibc, 1 << 20)
    sample = measured(glibc, 6000)
    assert (int(sample.spans_total), int(sample.spans_free)) == (7, 2)


def test_spans_are_those_of_a_walk(busy_heap: Heap) -> None:
    from allocsim.designs.glibc.check_lists import owned_chunks

    taken = busy_heap.profile()
    chunks = owned_chunks(busy_heap.state, busy_heap.memory)
    tops, mappings = 3, int(busy_heap.state.mp_[0].n_mmaps)
    assert taken.spans["total"] == len(chunks) + tops + mappings
    assert taken.spans["free"] == int(busy_heap.state.arena.binned_chunks.sum()) + tops


def test_heap_that_has_not_grown_counts_one_free_block(glibc: HeapState) -> None:
    counters = native_counters(glibc)
    assert counters.pop("ordblks") == 1
    assert counters.pop("heap0.rest.count") == 1
    assert not any(counters.values())
    sample = measured(glibc)
    assert (int(sample.spans_total), int(sample.spans_free)) == (0, 0)


def test_chunks_of_every_fastbin_are_counted(make_glibc: MakeHeap) -> None:
    heap = make_glibc(tcache_count=0, mxfast=160)
    free(heap.state, *malloc(heap.state, *range(24, 168, 16)))
    counters = native_counters(heap.state)
    assert (counters["smblks"], counters["fsmblks"]) == (9, sum(range(32, 176, 16)))
    assert heap.check() == []


def test_mallinfo_sums_over_the_arenas(busy_heap: Heap) -> None:
    state, counters = busy_heap.state, busy_heap.native_counters()
    assert counters["arena"] == sum(counters[f"heap{n}.system.current"] for n in range(3))
    # malloc_info sums the size fields of chunks together with their flag bits.
    flags = sum(counters[f"heap{n}.rest.count"] - 1 for n in range(3))
    assert flags > 0
    assert counters["fordblks"] + flags == sum(
        counters[f"heap{n}.{kind}.size"] for n in range(3) for kind in ("fast", "rest")
    )
    assert counters["uordblks"] == counters["arena"] - counters["fordblks"]
    assert counters["fsmblks"] == int(state.arena.fast.sum())
    assert counters["ordblks"] == int(state.arena.binned_chunks.sum()) + 3
    assert counters["hblkhd"] + counters["arena"] + int(state.mp_[0].stack_bytes) == int(
        state.system[0].heap
    )


def test_arenas_are_reported_from_the_newest(busy_heap: Heap) -> None:
    state, counters = busy_heap.state, busy_heap.native_counters()
    order = [0, 2, 1]
    assert [counters[f"heap{n}.system.current"] for n in range(3)] == [
        int(state.arena[av].system_mem) for av in order
    ]
    assert [counters.get(f"heap{n}.aspace.subheaps") for n in range(3)] == [None, 1, 2]


def test_cached_chunks_count_as_used(glibc: HeapState) -> None:
    fill_cache(glibc, 100)
    assert native_counters(glibc)["uordblks"] == 656 + 7 * 112
    assert operations.measure(glibc, 0, measured(glibc)) == 0
    assert measured(glibc).thread_cache == 7 * 112
