"""Heap: the Python face of a design, which owns the memory and speaks in errors."""

import gc
import random
import sys
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest

from allocsim import Heap
from allocsim.core.records import SpanState
from allocsim.designs import SUMMARIES
from allocsim.errors import (
    AllocsimError,
    DoubleFree,
    HeapFrozen,
    InputError,
    InvalidFree,
    OutOfMemory,
    UnknownName,
)
from allocsim.events import MOST_THREADS
from tests.conftest import PAGE, RESERVE, SCALE, contents
from tests.core.test_chunk_refill import links
from tests.core.test_memory import is_mapped
from tests.core.test_size_classes import SIZES

SIZES_OF_ALL_KINDS = [0, 1, 24, 100, 32767, 32768, 200_000]

sizes = pytest.mark.parametrize("size", SIZES_OF_ALL_KINDS)


@sizes
def test_view_is_what_was_asked_for_all_zeros_and_writable(heap: Heap, size: int) -> None:
    address = heap.malloc(size)
    view = heap.view(address)
    assert bytes(view) == bytes(size)
    view[:] = b"x" * size
    assert contents(heap, address, size).tolist() == [120] * size


@sizes
def test_object_can_be_freed_once(heap: Heap, size: int) -> None:
    address = heap.malloc(size)
    heap.free(address)
    with pytest.raises(InvalidFree, match=r"free already|freed already"):
        heap.free(address)
    assert heap.check() == []


@pytest.mark.parametrize("size", [0, 1, 24, 32767])
def test_second_free_of_a_small_object_is_a_double_free(heap: Heap, size: int) -> None:
    address = heap.malloc(size)
    heap.free(address)
    with pytest.raises(DoubleFree, match="the object is free already") as raised:
        heap.free(address)
    assert raised.value.address == address


def test_object_that_was_never_handed_out_counts_as_free(heap: Heap) -> None:
    with pytest.raises(DoubleFree):
        heap.free(heap.malloc(24) + 24)


def test_double_free_leaves_the_newer_owner_alone(heap: Heap) -> None:
    address = heap.malloc(24)
    heap.free(address)
    assert heap.malloc(24) == address
    heap.free(address)
    with pytest.raises(DoubleFree):
        heap.free(address)
    assert heap.check() == []


WRONG: dict[str, tuple[Callable[[Heap], int], str]] = {
    "unknown": (lambda _: 4096, "lies in no span in use"),
    "unknown, negative": (lambda _: -1, "lies in no span in use"),
    "unknown, 2^63": (lambda _: 1 << 63, "lies in no span in use"),
    "unknown, 2^70": (lambda _: 1 << 70, "lies in no span in use"),
    "large": (lambda heap: heap.malloc(40_000) + 8, "inside a large object"),
    "small": (lambda heap: heap.malloc(24) + 8, "inside a small object"),
    "tail": (lambda heap: heap.malloc(3000) + 341 * 3072, "behind the last one of its span"),
}


@pytest.mark.parametrize(
    "call",
    [Heap.free, Heap.usable_size, Heap.view, lambda heap, address: heap.realloc(address, 5)],
    ids=["free", "usable_size", "view", "realloc"],
)
@pytest.mark.parametrize(("place", "reason"), WRONG.values(), ids=WRONG)
def test_what_is_no_object_is_an_invalid_pointer(
    heap: Heap, call: Callable[[Heap, int], object], place: Callable[[Heap], int], reason: str
) -> None:
    address = place(heap)
    with pytest.raises(InvalidFree, match=reason) as raised:
        call(heap, address)
    assert raised.value.address == address
    assert not isinstance(raised.value, DoubleFree)
    assert heap.check() == []


@pytest.mark.parametrize(
    "call", [Heap.free, Heap.usable_size, lambda heap, address: heap.realloc(address, 5)]
)
def test_stack_segment_is_no_object(heap: Heap, call: Callable[[Heap, int], object]) -> None:
    address = heap.allocate_stack(1)
    with pytest.raises(InvalidFree, match="lies in no span in use"):
        call(heap, address)


def test_object_that_the_design_does_not_take_back_stays_live(heap: Heap) -> None:
    address = heap.malloc(24)
    heap.state.span[1].state = SpanState.FREE
    with pytest.raises(InvalidFree, match="lies in no span in use"):
        heap.free(address)
    assert heap.live == 24


def test_free_of_null_is_nothing(heap: Heap) -> None:
    heap.free(0)
    assert heap.profile().heap == 0


@pytest.mark.parametrize("size", [1, 8, 9, 120, 32767, 32768, 32769])
def test_usable_size_is_at_least_what_was_asked_for(heap: Heap, size: int) -> None:
    expected = next((s for s in SIZES if s >= size), 0) if size < 32768 else -(-size // PAGE) * PAGE
    assert heap.usable_size(heap.malloc(size)) == expected


@pytest.mark.parametrize("size", [-1, -(2**62), -(2**63), -(2**70)], ids=str)
def test_negative_size_is_an_object_of_no_bytes(heap: Heap, size: int) -> None:
    address = heap.malloc(size)
    assert (len(heap.view(address)), heap.live, heap.usable_size(address)) == (0, 0, 8)
    heap.free(address)
    assert heap.check() == []


HUGE = [2**40, 2**62 - 1, 2**62, 2**63 - 1, 2**63, 2**64, 2**70]
ALLOCATING: dict[str, Callable[[Heap, int], int]] = {
    "malloc": Heap.malloc,
    "calloc": lambda heap, size: heap.calloc(2, size),
    "memalign": lambda heap, size: heap.memalign(64, size),
    "memalign of pages": lambda heap, size: heap.memalign(2 * PAGE, size),
    "alignment": lambda heap, size: heap.memalign(1 << (size.bit_length() - 1), 1),
    "realloc": lambda heap, size: heap.realloc(heap.malloc(1), size),
    "stack": Heap.allocate_stack,
}


@pytest.mark.parametrize("size", HUGE, ids=hex)
@pytest.mark.parametrize("call", ALLOCATING.values(), ids=ALLOCATING)
def test_huge_size_is_out_of_memory(
    heap: Heap, call: Callable[[Heap, int], int], size: int
) -> None:
    with pytest.raises(OutOfMemory):
        call(heap, size)
    assert heap.check() == []


@pytest.mark.parametrize("call", ALLOCATING.values(), ids=ALLOCATING)
def test_full_reservation_is_out_of_memory_and_sound(
    small_heap: Heap, call: Callable[[Heap, int], int]
) -> None:
    small_heap.malloc(3 << 20)
    with pytest.raises(OutOfMemory, match=r"bytes does not fit in the 0\.00390625 GiB"):
        call(small_heap, 1 << 21)
    assert small_heap.check() == []


@pytest.mark.parametrize("call", ALLOCATING.values(), ids=ALLOCATING)
def test_frozen_heap_that_has_to_grow_says_so_and_is_sound(
    heap: Heap, call: Callable[[Heap, int], int]
) -> None:
    heap.malloc(1)
    heap.freeze()
    with pytest.raises(HeapFrozen, match="needs more memory, and the heap is frozen"):
        call(heap, 1 << 21)
    assert heap.check() == []


def test_frozen_heap_gives_what_it_has(heap: Heap) -> None:
    address = heap.malloc(50_000)
    heap.free(address)
    heap.freeze()
    assert heap.malloc(50_000) == address


@pytest.mark.parametrize(("count", "size"), [(3, 8), (0, 5), (5, 0), (1000, 100)])
def test_calloc_gives_zeros_for_all_elements(heap: Heap, count: int, size: int) -> None:
    heap.view(address := heap.malloc(count * size))[:] = b"y" * (count * size)
    heap.free(address)
    assert bytes(heap.view(heap.calloc(count, size))) == bytes(count * size)


@pytest.mark.parametrize(("count", "size"), [(-1, 5), (5, -1), (-1, -1)])
def test_calloc_of_a_negative_number_is_a_value_error(heap: Heap, count: int, size: int) -> None:
    with pytest.raises(ValueError, match="neither can be negative"):
        heap.calloc(count, size)


def test_calloc_does_not_overflow(heap: Heap) -> None:
    with pytest.raises(OutOfMemory):
        heap.calloc(2**33, 2**31)
    with pytest.raises(OutOfMemory):
        heap.calloc(2**32, 2**32)


@pytest.mark.parametrize("alignment", [1, 2, 8, 32, 4096, 1 << 16, 1 << 20], ids=hex)
@sizes
def test_aligned_object_is_aligned_and_an_object(heap: Heap, alignment: int, size: int) -> None:
    heap.malloc(size)
    address = heap.memalign(alignment, size)
    assert address % alignment == 0
    assert (len(heap.view(address)), heap.usable_size(address) >= size) == (size, True)
    heap.free(address)
    assert heap.check() == []


@pytest.mark.parametrize("alignment", [0, -8, 3, 24, 2**63 - 1], ids=str)
def test_alignment_that_is_no_power_of_two_is_a_value_error(heap: Heap, alignment: int) -> None:
    with pytest.raises(ValueError, match="expected a power of two"):
        heap.memalign(alignment, 8)


@sizes
@pytest.mark.parametrize("new", [1, 25, 1000, 40_000])
def test_realloc_keeps_what_fits(heap: Heap, size: int, new: int) -> None:
    written = random.Random(size).randbytes(size)
    heap.view(address := heap.malloc(size))[:] = written
    moved = heap.realloc(address, new)
    assert bytes(heap.view(moved)) == (written + bytes(new))[: min(size, new)] + bytes(
        max(new - size, 0)
    )
    assert heap.live == new
    assert heap.check() == []


def test_realloc_of_null_is_malloc(heap: Heap) -> None:
    assert len(heap.view(heap.realloc(0, 50))) == 50


def test_realloc_to_nothing_is_free(heap: Heap) -> None:
    address = heap.malloc(50)
    assert heap.realloc(address, 0) == 0
    assert heap.live == 0
    with pytest.raises(DoubleFree):
        heap.free(address)


def test_realloc_of_a_freed_object_is_a_double_free(heap: Heap) -> None:
    address = heap.malloc(50)
    heap.free(address)
    with pytest.raises(DoubleFree):
        heap.realloc(address, 60)


def test_refused_realloc_leaves_the_object_as_it_was(heap: Heap) -> None:
    heap.view(address := heap.malloc(3))[:] = b"abc"
    heap.freeze()
    with pytest.raises(HeapFrozen):
        heap.realloc(address, 40_000)
    assert (bytes(heap.view(address)), heap.live) == (b"abc", 3)
    heap.free(address)
    assert heap.check() == []


@pytest.mark.parametrize("size", [0, 1, 4096, 10_000])
def test_stack_segment_is_pages_that_only_free_stack_takes(heap: Heap, size: int) -> None:
    address = heap.allocate_stack(size)
    assert (address % PAGE, len(heap.view(address)), heap.live) == (0, size, size)
    with pytest.raises(InvalidFree):
        heap.free(address)
    heap.free_stack(address)
    assert heap.live == 0
    with pytest.raises(InvalidFree, match="it is no stack segment in use"):
        heap.free_stack(address)
    assert heap.check() == []


NO_STACKS: dict[str, Callable[[Heap], int]] = {
    "small object": lambda heap: heap.malloc(24),
    "large object": lambda heap: heap.malloc(40_000),
    "inside a segment": lambda heap: heap.allocate_stack(100) + 8,
    "null": lambda _: 0,
    "-1": lambda _: -1,
    "2^40": lambda _: 2**40,
    "2^63": lambda _: 2**63,
    "2^70": lambda _: 2**70,
}


@pytest.mark.parametrize("place", NO_STACKS.values(), ids=NO_STACKS)
def test_what_is_no_stack_segment_is_an_invalid_pointer(
    heap: Heap, place: Callable[[Heap], int]
) -> None:
    address = place(heap)
    with pytest.raises(InvalidFree, match="it is no stack segment in use"):
        heap.free_stack(address)
    assert heap.check() == []


def test_live_is_what_was_asked_for_and_not_freed(heap: Heap) -> None:
    kept, freed = heap.malloc(100), heap.calloc(10, 10)
    heap.memalign(64, 30)
    heap.allocate_stack(7)
    heap.free(freed)
    heap.realloc(kept, 50)
    assert heap.live == 50 + 30 + 7


def test_profile_sums_and_names_what_is_live(heap: Heap) -> None:
    heap.malloc(100)
    heap.free(heap.malloc(40_000))
    taken = heap.profile()
    assert taken.live == 100
    assert sum(taken.parts.values()) == taken.heap == 1 << 20
    assert taken.counters == {"grows": 1, "splits": 2, "coalesces": 0, "refills": 1}


def test_a_refill_counts_as_resident_though_its_links_are_written_late(heap: Heap) -> None:
    heap.malloc(4096)
    assert heap.resident() == 256 * PAGE  # a chunk of 1 MiB, linked through the start of each page


def test_resident_is_what_was_touched(heap: Heap) -> None:
    address = heap.malloc(100 * PAGE)
    assert heap.resident() == 0
    heap.view(address)[0] = 1
    assert 0 < heap.resident() <= heap.profile().heap


@pytest.mark.parametrize("reserve", [0, -1, (1 << 20) - 1, (1 << 45) + 1])
def test_reservation_out_of_range_is_an_input_error(reserve: int) -> None:
    with pytest.raises(InputError, match="expected 1 MiB to 32 TiB"):
        Heap(reserve=reserve)


def test_smallest_reservation_serves() -> None:
    with Heap(reserve=1 << 20) as heap:
        assert heap.malloc(1)


def test_unknown_design_and_unknown_parameter_are_named() -> None:
    with pytest.raises(UnknownName, match="did you mean 'go2008'"):
        Heap("go2007")
    with pytest.raises(UnknownName, match="colour"):
        Heap(colour=5)


OPERATIONS: dict[str, Callable[[Heap], object]] = {
    "malloc": lambda heap: heap.malloc(1),
    "calloc": lambda heap: heap.calloc(1, 1),
    "memalign": lambda heap: heap.memalign(8, 1),
    "realloc": lambda heap: heap.realloc(8, 1),
    "free": lambda heap: heap.free(8),
    "usable_size": lambda heap: heap.usable_size(8),
    "view": lambda heap: heap.view(8),
    "allocate_stack": lambda heap: heap.allocate_stack(1),
    "free_stack": lambda heap: heap.free_stack(8),
    "freeze": Heap.freeze,
    "thread_done": Heap.thread_done,
    "profile": Heap.profile,
    "resident": Heap.resident,
    "check": Heap.check,
}


@pytest.mark.parametrize("call", OPERATIONS.values(), ids=OPERATIONS)
def test_closed_heap_says_so(call: Callable[[Heap], object]) -> None:
    heap = Heap(reserve=RESERVE)
    heap.malloc(8)
    heap.close()
    with pytest.raises(InputError, match="this heap is closed"):
        call(heap)


def test_heap_can_be_closed_twice_and_gives_its_memory_back() -> None:
    with Heap(reserve=RESERVE) as heap:
        base = heap.memory.address
        assert is_mapped(base)
        heap.close()
    assert not is_mapped(base)


def test_memory_of_a_closed_heap_goes_with_its_last_view() -> None:
    with Heap(reserve=RESERVE) as heap:
        base = heap.memory.address
        view = heap.view(heap.malloc(3))
    view[:] = b"abc"
    assert bytes(view) == b"abc"
    del view
    gc.collect()
    assert not is_mapped(base)


def in_thread(work: Callable[[], None]) -> None:
    """Run `work` on a thread of its own, to its end; its exception is the caller's."""
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


@pytest.fixture(params=SUMMARIES)
def any_heap(request: pytest.FixtureRequest) -> Iterator[Heap]:
    """A heap of each design, as it begins by default."""
    with Heap(request.param, reserve=RESERVE) as heap:
        yield heap


@sizes
def test_object_is_as_long_as_asked_for_and_can_be_freed_once(any_heap: Heap, size: int) -> None:
    address = any_heap.malloc(size)
    any_heap.view(address)[:] = b"x" * size
    assert (any_heap.usable_size(address) >= size, any_heap.live) == (True, size)
    any_heap.free(address)
    with pytest.raises(InvalidFree, match=r"free already|freed already"):
        any_heap.free(address)
    assert (any_heap.live, any_heap.check()) == (0, [])


@pytest.mark.parametrize("beyond", [8, -1, 1 << 40, 1 << 63, 1 << 70])
def test_no_design_takes_what_is_no_object(any_heap: Heap, beyond: int) -> None:
    address = int(any_heap.malloc(300_000)) + beyond
    with pytest.raises(InvalidFree) as raised:
        any_heap.free(address)
    assert raised.value.address == address
    assert any_heap.check() == []


@sizes
def test_calloc_of_every_design_gives_zeros(any_heap: Heap, size: int) -> None:
    any_heap.view(address := any_heap.malloc(size))[:] = b"y" * size
    any_heap.free(address)
    assert bytes(any_heap.view(any_heap.calloc(1, size))) == bytes(size)


@pytest.mark.parametrize("alignment", [1, 32, 4096, 1 << 16, 1 << 20], ids=hex)
def test_aligned_object_of_every_design_is_aligned(any_heap: Heap, alignment: int) -> None:
    any_heap.malloc(100)
    address = any_heap.memalign(alignment, 100)
    assert (address % alignment, len(any_heap.view(address))) == (0, 100)
    any_heap.free(address)
    assert any_heap.check() == []


@sizes
@pytest.mark.parametrize("new", [1, 25, 1000, 300_000])
def test_realloc_of_every_design_keeps_what_fits(any_heap: Heap, size: int, new: int) -> None:
    written = random.Random(size).randbytes(size)
    any_heap.view(address := any_heap.malloc(size))[:] = written
    moved = any_heap.realloc(address, new)
    assert bytes(any_heap.view(moved)[:size]) == written[:new]
    assert (any_heap.live, any_heap.check()) == (new, [])


def test_refused_realloc_of_every_design_leaves_the_object(any_heap: Heap) -> None:
    any_heap.view(address := any_heap.malloc(3))[:] = b"abc"
    any_heap.freeze()
    with pytest.raises(HeapFrozen):
        any_heap.realloc(address, 8 << 20)
    assert (bytes(any_heap.view(address)), any_heap.live) == (b"abc", 3)
    any_heap.free(address)
    assert any_heap.check() == []


@pytest.mark.parametrize("size", HUGE, ids=hex)
@pytest.mark.parametrize("call", ALLOCATING.values(), ids=ALLOCATING)
def test_huge_size_is_out_of_memory_for_every_design(
    any_heap: Heap, call: Callable[[Heap, int], int], size: int
) -> None:
    with pytest.raises(OutOfMemory):
        call(any_heap, size)
    assert any_heap.check() == []


def test_stack_segment_is_memory_that_only_free_stack_takes(any_heap: Heap) -> None:
    address = any_heap.allocate_stack(10_000)
    any_heap.view(address)[:] = b"s" * 10_000
    with pytest.raises(InvalidFree):
        any_heap.free(address)
    any_heap.free_stack(address)
    with pytest.raises(InvalidFree, match="it is no stack segment in use"):
        any_heap.free_stack(address)
    assert (any_heap.live, any_heap.check()) == (0, [])


def test_parts_sum_to_the_heap_and_name_what_is_live(any_heap: Heap) -> None:
    any_heap.malloc(100)
    any_heap.free(any_heap.malloc(300_000))
    taken = any_heap.profile()
    assert (taken.live, sum(taken.parts.values())) == (100, taken.heap)


def test_threads_may_use_one_heap_and_end(any_heap: Heap) -> None:
    address = any_heap.malloc(24)
    in_thread(lambda: any_heap.free(address))
    in_thread(lambda: any_heap.free(any_heap.malloc(24)))
    gc.collect()
    assert (any_heap.live, any_heap.check()) == (0, [])


def test_each_thread_has_a_cache_of_its_own(heap: Heap) -> None:
    heap.malloc(24)
    in_thread(lambda: heap.free(heap.malloc(24)))
    lengths = [int(heap.state.object_list[thread, SIZES.index(24)].length) for thread in (0, 1, 2)]
    assert lengths == [1023, 1024, 0]
    assert heap.profile().counters["refills"] == 2


def test_object_goes_to_the_cache_of_the_thread_that_frees_it(heap: Heap) -> None:
    address = heap.malloc(24)
    in_thread(lambda: heap.free(address))
    assert links(heap.state, 1, SIZES.index(24)) == [address]


@pytest.mark.parametrize("said", [True, False], ids=["said", "seen"])
def test_free_objects_of_an_ended_thread_stay_on_its_lists(heap: Heap, said: bool) -> None:
    def work() -> None:
        heap.free(heap.malloc(24))
        if said:
            heap.thread_done()

    in_thread(work)
    in_thread(work)
    gc.collect()
    assert heap.profile().counters["refills"] == 2
    assert heap.profile().parts["thread_cache"] == 2 * 1024 * 24
    assert heap.check() == []


def test_thread_that_goes_on_after_its_end_gets_a_new_cache(heap: Heap) -> None:
    first = heap.malloc(24)
    heap.thread_done()
    heap.free(first)
    assert links(heap.state, 1, SIZES.index(24)) == [first]
    assert heap.state.counters[0].threads == 2


def test_end_of_a_thread_that_never_called_is_nothing(heap: Heap) -> None:
    heap.thread_done()
    assert heap.state.counters[0].threads == 0


def test_thread_does_not_keep_a_heap_alive() -> None:
    heap = Heap(reserve=RESERVE)
    heap.malloc(1)
    seen = weakref.ref(heap)
    del heap
    gc.collect()
    assert seen() is None


def test_thread_may_end_after_its_heap_was_closed() -> None:
    heap = Heap(reserve=RESERVE)
    called, closed = threading.Event(), threading.Event()

    def work() -> None:
        heap.malloc(1)
        called.set()
        closed.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    assert called.wait(10)
    heap.close()
    closed.set()
    thread.join()


def test_more_threads_than_there_are_caches_is_told(heap: Heap) -> None:
    heap.malloc(1)
    heap._threads = MOST_THREADS
    heap.state.counters[0].threads = MOST_THREADS
    with pytest.raises(AllocsimError, match="thread"):
        in_thread(lambda: heap.free(heap.malloc(1)))


def churn(heap: Heap, seed: int, steps: int) -> None:
    """Allocate, fill, compare and free at random, in objects of this thread only."""
    rng, held = random.Random(seed), list[tuple[int, bytes]]()
    for _ in range(steps):
        if held and rng.random() < 0.5:
            address, written = held.pop(rng.randrange(len(held)))
            assert bytes(heap.view(address)) == written
            heap.free(address)
        else:
            address = heap.malloc(rng.choice((8, 24, 100, 3000, 40_000)))
            view = heap.view(address)
            assert not any(view)
            written = bytes([rng.randrange(256)]) * len(view)
            view[:] = written
            held.append((address, written))
    for address, _ in held:
        heap.free(address)


@pytest.fixture
def _restless() -> Iterator[None]:
    """Threads take turns as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_restless")
def test_two_threads_may_use_one_heap_at_once(heap: Heap) -> None:
    failed: list[BaseException] = []
    both = threading.Barrier(2)

    def work(seed: int) -> None:
        try:
            both.wait(10)
            churn(heap, seed, 300 * SCALE // 4 + 200)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert (heap.live, heap.check()) == (0, [])
    assert heap.state.counters[0].threads == 2


def test_objects_of_an_ended_thread_of_tcmalloc_go_to_the_others(tcmalloc_heap: Heap) -> None:
    def work() -> None:
        for address in [tcmalloc_heap.malloc(24) for _ in range(50)]:
            tcmalloc_heap.free(address)

    tcmalloc_heap.malloc(8)
    in_thread(work)
    gc.collect()
    counters = tcmalloc_heap.native_counters()
    assert counters["tcmalloc.thread_cache_free_bytes"] == 0
    assert counters["generic.current_allocated_bytes"] == 8
    assert tcmalloc_heap.state.budget[0].caches == 1
    assert tcmalloc_heap.check() == []
