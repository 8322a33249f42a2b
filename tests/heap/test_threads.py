"""Heap: threads that share a heap, their caches, and the memory that remains when they end."""

import gc
import random
import sys
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest

from allocsim import Heap
from allocsim.errors import OutOfMemory
from allocsim.events import MAX_THREADS
from tests.cli.running import PATIENCE
from tests.conftest import RESERVE, SCALE
from tests.designs.go2008.lookup import SIZES, links


def in_threads(*works: Callable[[], None]) -> None:
    """Run each function on its own thread, all at once; raise the first exception at the end."""
    raised: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def test_threads_may_use_one_heap_and_end(any_heap: Heap) -> None:
    address = any_heap.malloc(24)
    in_threads(lambda: any_heap.free(address))
    in_threads(lambda: any_heap.free(any_heap.malloc(24)))
    gc.collect()
    assert (any_heap.live, any_heap.check()) == (0, [])


def test_each_thread_has_a_cache_of_its_own(heap: Heap) -> None:
    heap.malloc(24)
    in_threads(lambda: heap.free(heap.malloc(24)))
    lengths = [int(heap.state.free_list[thread, SIZES.index(24)].length) for thread in (0, 1, 2)]
    assert lengths == [1023, 1024, 0]
    assert heap.profile().counters["refills"] == 2


def test_object_goes_to_the_cache_of_the_thread_that_frees_it(heap: Heap) -> None:
    address = heap.malloc(24)
    in_threads(lambda: heap.free(address))
    assert links(heap.state, 1, SIZES.index(24)) == [address]


@pytest.mark.parametrize("explicit", [True, False], ids=["thread_done", "thread ends"])
def test_go2008_keeps_the_free_objects_of_an_ended_thread(heap: Heap, explicit: bool) -> None:
    def work() -> None:
        heap.free(heap.malloc(24))
        if explicit:
            heap.thread_done()

    in_threads(work)
    in_threads(work)
    gc.collect()
    assert heap.profile().counters["refills"] == 2
    assert heap.profile().parts["thread_cache"] == 2 * 1024 * 24
    assert heap.check() == []


def test_thread_that_calls_again_after_thread_done_gets_a_new_cache(heap: Heap) -> None:
    first = heap.malloc(24)
    heap.thread_done()
    heap.free(first)
    assert links(heap.state, 1, SIZES.index(24)) == [first]
    assert heap.state.static[0].threads == 2


def test_thread_done_of_a_thread_that_never_called_does_nothing(heap: Heap) -> None:
    heap.thread_done()
    assert heap.state.static[0].threads == 0


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
        closed.wait(PATIENCE)

    thread = threading.Thread(target=work)
    thread.start()
    assert called.wait(PATIENCE)
    heap.close()
    closed.set()
    thread.join()


def test_more_threads_than_caches_is_out_of_memory(heap: Heap) -> None:
    heap.malloc(1)
    heap._threads.count = MAX_THREADS
    heap.state.static[0].threads = MAX_THREADS
    with pytest.raises(OutOfMemory, match=f"supports at most {MAX_THREADS} threads"):
        in_threads(lambda: heap.free(heap.malloc(1)))


def churn(heap: Heap, seed: int, steps: int) -> None:
    """Allocate, fill, compare and free objects at random; only this thread uses these objects."""
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
    """The interpreter switches between the threads as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_restless")
def test_two_threads_may_use_one_heap_at_once(heap: Heap) -> None:
    both = threading.Barrier(2)

    def work(seed: int) -> None:
        both.wait(PATIENCE)
        churn(heap, seed, 300 * SCALE // 4 + 200)

    in_threads(lambda: work(1), lambda: work(2))
    assert (heap.live, heap.check()) == (0, [])
    assert heap.state.static[0].threads == 2


def test_tcmalloc_reuses_the_cached_objects_of_an_ended_thread(tcmalloc_heap: Heap) -> None:
    def work() -> None:
        for address in [tcmalloc_heap.malloc(24) for _ in range(50)]:
            tcmalloc_heap.free(address)

    tcmalloc_heap.malloc(8)
    in_threads(work)
    gc.collect()
    counters = tcmalloc_heap.native_counters()
    assert counters["tcmalloc.thread_cache_free_bytes"] == 0
    assert counters["generic.current_allocated_bytes"] == 8
    assert tcmalloc_heap.state.static[0].thread_heap_count == 1
    assert tcmalloc_heap.check() == []
