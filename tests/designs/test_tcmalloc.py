"""tcmalloc's malloc and free: their rules, what they refuse, and what every part holds then."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.check import violations
from allocsim.core.jit import PURE
from allocsim.core.memory import Reservation
from allocsim.core.operations import Status
from allocsim.core.records import PARTS, SAMPLE, HeapState
from allocsim.core.span_classes import LARGEST, PAGE
from allocsim.designs.tcmalloc import DESIGN, create
from allocsim.designs.tcmalloc_state import placement
from allocsim.events import Op
from allocsim.player import Options, Player
from tests.conftest import contents
from tests.driving import Call, random_calls, stream_of
from tests.tcmalloc_records import SIZES, cached, class_for

BORDERS = [0, 1, 8, 9, 16, 17, 128, 129, 1024, 1025, 2816, 32768, 32769, LARGEST - 1, LARGEST]
"""Small sizes at the ends of classes and of ranges of classes."""

LARGE = [LARGEST + 1, 33 * PAGE, 1 << 20, (1 << 20) + 1]

MEDIUM = 300_000
"""Bytes of a large object: 37 pages."""


def slot(size: int) -> int:
    """Bytes that the object for a request really has."""
    return SIZES[class_for(size)] if size <= LARGEST else -(-size // PAGE) * PAGE


def malloc(state: HeapState, size: int, thread: int = 0) -> int:
    """malloc by a thread."""
    return operations.malloc(state, thread, size)


def sound(heap: Heap) -> bool:
    """Whether every invariant holds."""
    found = violations(heap.state, heap.memory, DESIGN.invariants)
    assert found == []
    return True


@pytest.mark.parametrize("size", BORDERS + LARGE)
def test_object_has_the_size_of_its_class_or_whole_pages(tcmalloc: HeapState, size: int) -> None:
    assert operations.usable_size(tcmalloc, malloc(tcmalloc, size)) == slot(size)


@pytest.mark.parametrize("size", [8, 100, 2800, LARGEST, MEDIUM])
def test_object_comes_back_as_the_next_of_its_thread(tcmalloc: HeapState, size: int) -> None:
    address = malloc(tcmalloc, size)
    assert operations.free(tcmalloc, 0, address) == Status.OK
    assert malloc(tcmalloc, size) == address


def test_object_goes_to_the_cache_of_the_thread_that_frees_it(tcmalloc: HeapState) -> None:
    addresses = [malloc(tcmalloc, 100) for _ in range(3)]
    malloc(tcmalloc, 100, thread=1)
    operations.free(tcmalloc, 1, addresses[1])
    assert cached(tcmalloc, 1, class_for(100)) == [addresses[1]]
    assert malloc(tcmalloc, 100, thread=1) == addresses[1]


@pytest.mark.parametrize("size", [1, 100, 2800, LARGEST, MEDIUM])
def test_calloc_clears_the_whole_object_where_others_wrote(
    tcmalloc_heap: Heap, tcmalloc: HeapState, size: int
) -> None:
    address = malloc(tcmalloc, size)
    contents(tcmalloc_heap, address, slot(size))[:] = 0xFF
    operations.free(tcmalloc, 0, address)
    assert operations.calloc(tcmalloc, 0, size) == address
    assert not contents(tcmalloc_heap, address, slot(size)).any()


def test_malloc_promises_no_zeros(tcmalloc_heap: Heap, tcmalloc: HeapState) -> None:
    address = malloc(tcmalloc, 100)
    contents(tcmalloc_heap, address, 100)[:] = 0xFF
    operations.free(tcmalloc, 0, address)
    assert contents(tcmalloc_heap, malloc(tcmalloc, 100), 100)[8:].all()
    assert not DESIGN.zeroed


@pytest.mark.parametrize("exponent", range(14))
@pytest.mark.parametrize("size", [0, 1, 100, 8192, 100_000, LARGEST])
def test_alignment_up_to_a_page_is_malloc_of_a_multiple(
    tcmalloc_heap: Heap, tcmalloc: HeapState, size: int, exponent: int
) -> None:
    alignment = 1 << exponent
    rounded = -(-max(size, 1) // alignment) * alignment
    for _ in range(3):
        address = operations.memalign(tcmalloc, 0, alignment, size)
        assert address % alignment == 0
        assert operations.usable_size(tcmalloc, address) == slot(rounded)
    assert sound(tcmalloc_heap)


@pytest.mark.parametrize("exponent", range(14, 23))
@pytest.mark.parametrize("size", [0, 1, PAGE + 1, MEDIUM])
def test_alignment_beyond_a_page_is_pages_cut_out(
    tcmalloc_heap: Heap, tcmalloc: HeapState, size: int, exponent: int
) -> None:
    malloc(tcmalloc, 8)
    addresses = [operations.memalign(tcmalloc, 0, 1 << exponent, size) for _ in range(2)]
    assert [address % (1 << exponent) for address in addresses] == [0, 0]
    assert operations.usable_size(tcmalloc, addresses[0]) == max(-(-size // PAGE), 1) * PAGE
    assert sound(tcmalloc_heap)
    assert [operations.free(tcmalloc, 0, address) for address in addresses] == [Status.OK] * 2
    assert sound(tcmalloc_heap)


@pytest.mark.parametrize(
    ("old", "new", "size"),
    [
        (112, 112, 112),  # as it is
        (112, 56, 112),  # half used: stays
        (112, 55, 64),  # less than half: moves
        (112, 113, 144),  # grows by a quarter: 140
        (112, 139, 144),
        (112, 140, 144),
        (112, 200, 208),  # more than a quarter
        (LARGEST, LARGEST + 1, 40 * PAGE),
        (40 * PAGE, 20 * PAGE, 40 * PAGE),
        (40 * PAGE, 20 * PAGE - 1, 20 * PAGE),
        (40 * PAGE, 41 * PAGE, 50 * PAGE),
        (40 * PAGE, 60 * PAGE, 60 * PAGE),
    ],
)
def test_realloc_stays_while_half_is_used_and_grows_by_a_quarter(
    tcmalloc_heap: Heap, tcmalloc: HeapState, old: int, new: int, size: int
) -> None:
    address = malloc(tcmalloc, old)
    written = np.random.default_rng(old).integers(0, 256, old).astype(np.uint8)
    contents(tcmalloc_heap, address, old)[:] = written
    moved = operations.realloc(tcmalloc, 0, address, new)
    assert operations.usable_size(tcmalloc, moved) == size
    assert bool(moved == address) is (size == old)
    kept = min(old, new)
    assert contents(tcmalloc_heap, moved, kept).tolist() == written[:kept].tolist()
    assert sound(tcmalloc_heap)


def test_realloc_takes_the_new_object_before_it_frees_the_old(tcmalloc: HeapState) -> None:
    address = malloc(tcmalloc, 100_000)
    moved = operations.realloc(tcmalloc, 0, address, 110_000)
    assert moved != address
    assert cached(tcmalloc, 0, class_for(100_000)) == [address]


def test_realloc_asks_for_less_when_a_quarter_more_is_refused(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    address, other = malloc(tcmalloc, 112), malloc(tcmalloc, 128)
    operations.freeze(tcmalloc)
    while malloc(tcmalloc, PAGE):  # until no pages are left for the class of a quarter more
        pass
    operations.free(tcmalloc, 0, other)
    moved = operations.realloc(tcmalloc, 0, address, 113)
    assert (moved, operations.usable_size(tcmalloc, moved)) == (other, 128)
    assert sound(tcmalloc_heap)


@pytest.mark.parametrize("size", [200, MEDIUM, 1 << 40, 1 << 62])
def test_refused_realloc_leaves_the_object_as_it_was(
    tcmalloc_heap: Heap, tcmalloc: HeapState, size: int
) -> None:
    address = malloc(tcmalloc, 100)
    contents(tcmalloc_heap, address, 100)[:] = 7
    operations.freeze(tcmalloc)
    while malloc(tcmalloc, PAGE):
        pass
    while malloc(tcmalloc, 208):
        pass
    assert operations.realloc(tcmalloc, 0, address, size) == 0
    assert contents(tcmalloc_heap, address, 100).tolist() == [7] * 100
    assert operations.inspect(tcmalloc, address) == Status.OK
    assert sound(tcmalloc_heap)


def freed_large_object(state: HeapState) -> int:
    """The address of a large object that is free already."""
    address = malloc(state, MEDIUM)
    operations.free(state, 0, address)
    return address


Place = Callable[[HeapState], int]

REFUSED: dict[str, tuple[Place, Status]] = {
    "null": (lambda _: 0, Status.UNKNOWN_POINTER),
    "-1": (lambda _: -1, Status.UNKNOWN_POINTER),
    "-2^63": (lambda _: -(2**63), Status.UNKNOWN_POINTER),
    "2^48": (lambda _: 1 << 48, Status.UNKNOWN_POINTER),
    "2^63 - 8": (lambda _: 2**63 - 8, Status.UNKNOWN_POINTER),
    "behind the heap": (lambda state: int(state.system[0].next), Status.UNKNOWN_POINTER),
    "free pages": (lambda state: int(state.system[0].next) - PAGE, Status.UNKNOWN_POINTER),
    "large and free": (freed_large_object, Status.UNKNOWN_POINTER),
    "stack": (lambda state: operations.allocate_stack(state, 1), Status.UNKNOWN_POINTER),
    "large + 8": (lambda state: malloc(state, MEDIUM) + 8, Status.NOT_SPAN_START),
}
INSIDE: dict[str, tuple[Place, Status]] = {
    "small + 1": (lambda state: malloc(state, 100) + 1, Status.NOT_OBJECT_START),
    "small + 8": (lambda state: malloc(state, 100) + 8, Status.NOT_OBJECT_START),
    "tail": (lambda state: malloc(state, 2800) + 8 * 2816, Status.NOT_OBJECT_START),
}


@pytest.mark.parametrize(("place", "status"), REFUSED.values(), ids=REFUSED)
def test_invalid_free_says_why_and_changes_nothing(
    tcmalloc_heap: Heap, tcmalloc: HeapState, place: Place, status: Status
) -> None:
    malloc(tcmalloc, 8)
    address = place(tcmalloc)
    before = [tcmalloc.page_heap.tobytes(), tcmalloc.cache[:2].tobytes()]
    assert operations.free(tcmalloc, 0, address) == status
    assert [tcmalloc.page_heap.tobytes(), tcmalloc.cache[:2].tobytes()] == before
    assert sound(tcmalloc_heap)


@pytest.mark.parametrize(
    ("place", "status"), [*REFUSED.values(), *INSIDE.values()], ids=[*REFUSED, *INSIDE]
)
def test_inspect_knows_what_is_no_object(tcmalloc: HeapState, place: Place, status: Status) -> None:
    malloc(tcmalloc, 8)
    address = place(tcmalloc)
    assert operations.inspect(tcmalloc, address) == status
    assert operations.usable_size(tcmalloc, address) == 0


@pytest.mark.parametrize("size", [100, MEDIUM])
def test_inspect_knows_an_object(tcmalloc: HeapState, size: int) -> None:
    assert operations.inspect(tcmalloc, malloc(tcmalloc, size)) == Status.OK


def test_inspect_takes_a_free_small_object_for_one(tcmalloc: HeapState) -> None:
    address = malloc(tcmalloc, 100)
    operations.free(tcmalloc, 0, address)
    assert operations.inspect(tcmalloc, address) == Status.OK


@pytest.mark.parametrize(("size", "pages"), [(-1, 1), (0, 1), (1, 1), (PAGE, 1), (PAGE + 1, 2)])
def test_stack_segment_is_whole_pages_that_only_free_stack_takes(
    tcmalloc_heap: Heap, tcmalloc: HeapState, size: int, pages: int
) -> None:
    address = operations.allocate_stack(tcmalloc, size)
    assert tcmalloc.counters[0].large_pages == pages
    assert operations.free(tcmalloc, 0, address) == Status.UNKNOWN_POINTER
    assert operations.free_stack(tcmalloc, address + 8) == Status.NOT_SPAN_START
    assert operations.free_stack(tcmalloc, address) == Status.OK
    assert operations.free_stack(tcmalloc, address) == Status.UNKNOWN_POINTER
    assert operations.free_stack(tcmalloc, malloc(tcmalloc, MEDIUM)) == Status.UNKNOWN_POINTER
    assert sound(tcmalloc_heap)


def test_thread_that_ends_gives_everything_back(tcmalloc_heap: Heap, tcmalloc: HeapState) -> None:
    for thread in (0, 1):
        held = [malloc(tcmalloc, size, thread) for size in (8, 100, 2800, 20_000) * 5]
        for address in held:
            operations.free(tcmalloc, thread, address)
    assert tcmalloc_heap.native_counters()["tcmalloc.thread_cache_free_bytes"] > 0
    for thread in (0, 1):
        assert operations.thread_done(tcmalloc, thread) == Status.OK
    counters = tcmalloc_heap.native_counters()
    assert counters["tcmalloc.thread_cache_free_bytes"] == 0
    assert counters["generic.current_allocated_bytes"] == 0
    assert tcmalloc.budget[0].unclaimed == tcmalloc.budget[0].total
    assert tcmalloc.budget[0].caches == 0
    assert sound(tcmalloc_heap)


def test_thread_that_never_allocated_ends_without_a_trace(tcmalloc: HeapState) -> None:
    assert operations.thread_done(tcmalloc, 5) == Status.OK
    assert tcmalloc.budget[0].caches == 0


def test_thread_beyond_the_table_is_refused() -> None:
    parameters = DESIGN.checked({})
    heap = create(Reservation(1 << 20, *placement(parameters)), 2, parameters)
    began = [operations.thread_begin(heap, thread) for thread in range(3)]
    assert began == [Status.OK, Status.OK, Status.OUT_OF_MEMORY]
    assert heap.counters[0].threads == 2
    assert operations.refusal(heap) == Status.OUT_OF_MEMORY


def test_frozen_heap_gives_what_it_has_and_refuses_growth(
    tcmalloc_heap: Heap, tcmalloc: HeapState
) -> None:
    malloc(tcmalloc, 8)
    assert operations.freeze(tcmalloc) == Status.OK
    assert malloc(tcmalloc, 127 * PAGE)
    assert (malloc(tcmalloc, 100), malloc(tcmalloc, MEDIUM)) == (0, 0)
    assert operations.calloc(tcmalloc, 0, 100) == 0
    assert operations.memalign(tcmalloc, 0, 4 * PAGE, 1) == 0
    assert operations.allocate_stack(tcmalloc, 1) == 0
    assert operations.refusal(tcmalloc) == Status.FROZEN
    assert malloc(tcmalloc, 8)
    assert sound(tcmalloc_heap)


REQUESTS: dict[str, Callable[[HeapState, int], int]] = {
    "malloc": malloc,
    "calloc": lambda state, size: operations.calloc(state, 0, size),
    "memalign": lambda state, size: operations.memalign(state, 0, 64, size),
    "memalign of pages": lambda state, size: operations.memalign(state, 0, 4 * PAGE, size),
    "stack": operations.allocate_stack,
}


@pytest.mark.parametrize("call", REQUESTS.values(), ids=REQUESTS)
def test_full_reservation_refuses_and_stays_sound(
    small_tcmalloc_heap: Heap, call: Callable[[HeapState, int], int]
) -> None:
    state, held = small_tcmalloc_heap.state, []
    for size in (1 << 20, MEDIUM, 3 * PAGE, 1):
        while address := call(state, size):
            held.append(address)
        assert operations.refusal(state) == Status.OUT_OF_MEMORY
        assert sound(small_tcmalloc_heap)
    if call is not REQUESTS["memalign of pages"]:  # which needs more than it keeps
        assert state.system[0].heap == small_tcmalloc_heap.memory.length
    free = operations.free_stack if call is REQUESTS["stack"] else None
    for address in held:
        status = free(state, address) if free else operations.free(state, 0, address)
        assert status == Status.OK
    assert sound(small_tcmalloc_heap)


@pytest.mark.parametrize("size", [(1 << 30) + 1, 1 << 40, 1 << 47, (1 << 62) - 1], ids=hex)
def test_huge_request_is_refused(tcmalloc_heap: Heap, tcmalloc: HeapState, size: int) -> None:
    for call in REQUESTS.values():
        tcmalloc.system[0].refusal = Status.OK
        assert call(tcmalloc, size) == 0
        assert operations.refusal(tcmalloc) == Status.OUT_OF_MEMORY
    assert sound(tcmalloc_heap)


def test_release_on_request_gives_whole_runs(tcmalloc_heap: Heap, tcmalloc: HeapState) -> None:
    address = malloc(tcmalloc, 1 << 20)
    contents(tcmalloc_heap, address, 1 << 20)[:] = 1
    operations.free(tcmalloc, 0, address)
    before = operations.footprint(tcmalloc)
    assert operations.release(tcmalloc, 5) == 1 << 20
    assert operations.footprint(tcmalloc) == before - (1 << 20)
    assert operations.settle(tcmalloc) == Status.OK
    assert tcmalloc_heap.resident() == 0
    assert sound(tcmalloc_heap)


def test_each_part_is_what_was_done_to_it(tcmalloc: HeapState) -> None:
    malloc(tcmalloc, 2800)  # a span of 3 pages: 8 objects of 2816 bytes and a tail of 2048
    operations.free(tcmalloc, 0, malloc(tcmalloc, 2800))
    malloc(tcmalloc, MEDIUM)
    sample = np.zeros(1, SAMPLE).view(np.recarray)
    operations.measure(tcmalloc, 302_800, sample[0])
    expected = {
        "live": 302_800,
        "rounding": 2816 + 37 * PAGE - 302_800,
        "tail": 2048,
        "thread_cache": 2 * 2816,
        "central": 5 * 2816,
        "free_spans": (128 - 3 - 37) * PAGE,
    }
    assert {name: int(sample[0][name]) for name in PARTS if sample[0][name]} == expected
    assert sample[0].heap == sum(expected.values()) == 1 << 20
    assert (sample[0].refills, sample[0].grows) == (1, 1)


def test_classes_tell_what_each_holds(tcmalloc: HeapState) -> None:
    held = [malloc(tcmalloc, 100) for _ in range(5)]
    operations.free(tcmalloc, 0, held[0])
    used = [use for use in DESIGN.classes(tcmalloc) if use.spans]
    assert [(use.object_size, use.spans, use.in_use, use.free) for use in used] == [(112, 1, 4, 69)]
    assert [use.object_size for use in DESIGN.classes(tcmalloc)] == SIZES[1:]


def test_caches_tell_what_they_hold_and_may_hold() -> None:
    with Heap("tcmalloc", reserve=1 << 30) as heap:
        for address in [malloc(heap.state, 100, 3) for _ in range(3)]:
            operations.free(heap.state, 3, address)
        assert DESIGN.caches is not None
        found = {use.thread: (use.held, use.most) for use in DESIGN.caches(heap.state)}
        held = int(heap.state.cache[3].held)
    assert held > 0
    assert found == {None: (0, 65536), 0: (0, 65536), 3: (held, 65536)}


def calls(seed: int, count: int) -> list[Call]:
    """Sound calls of all kinds by four threads, with releases, and threads that end."""
    found = random_calls(seed, count, objects=2000 if count > 10_000 else 100, threads=4)
    for place in range(count // 20, len(found), count // 10):
        found.insert(place, Call(Op.RELEASE, request=1 << 20))
        found.insert(place, Call(Op.THREAD_DONE, thread=1 + place % 3))
    return found


@pytest.mark.parametrize(("startup", "seed"), [("none", 1), ("preload", 2)])
def test_random_events_keep_every_stamp_and_every_invariant(startup: str, seed: int) -> None:
    count = 500 if PURE else 100_000
    events: Any = stream_of(calls(seed, count))
    with Heap("tcmalloc", startup=startup) as heap:
        player = Player(heap, Options(verify=True, check_every=count // 4))
        player.play(events)
        assert player.events == count
        assert heap.check() == []
        profile = player.profile()
        assert profile.at_end.heap == sum(profile.at_end.parts.values())
