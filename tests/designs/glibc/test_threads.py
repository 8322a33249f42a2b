"""Threads: what starting and ending a thread does to the heap."""

from allocsim.core import operations
from allocsim.core.records import HeapState
from allocsim.designs.glibc.stats import native_counters
from tests.designs.glibc.conftest import MakeHeap, arenas, free, malloc


def test_cache_of_an_ended_thread_is_freed_into_the_arenas(glibc: HeapState) -> None:
    arenas(glibc, 0, 1)
    own, other = malloc(glibc, 100, thread=1), malloc(glibc, 100)
    free(glibc, *own, *other, thread=1)
    operations.thread_done(glibc, 1)
    assert [int(glibc.arena[av].fast) for av in (0, 1)] == [112, 112]
    assert int(glibc.thread[1].tcache) == 0


def test_thread_that_calls_again_after_its_end_is_a_new_one(glibc: HeapState) -> None:
    arenas(glibc, 0, 1)
    operations.thread_done(glibc, 1)
    assert int(glibc.thread[1].arena) == 0
    malloc(glibc, 8, thread=1)
    assert int(glibc.thread[1].arena) == 2


def test_linked_program_allocates_a_dtv_for_each_new_thread(make_glibc: MakeHeap) -> None:
    used = {}
    for startup in ("none", "linked"):
        state = make_glibc(startup=startup).state
        arenas(state, 0, 1, 2)
        operations.thread_done(state, 1)
        arenas(state, 3)  # reuses the stack of thread 1, and its dtv
        used[startup] = native_counters(state)["uordblks"]
    assert used["linked"] - used["none"] == 2 * 288
