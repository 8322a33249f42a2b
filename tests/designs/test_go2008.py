"""The seed's malloc: its paths, its three kinds of invalid free, its accounts."""

from collections.abc import Callable

import numpy as np
import pytest

from allocsim import Heap
from allocsim.core import operations
from allocsim.core.memory import Reservation
from allocsim.core.operations import Status
from allocsim.core.pagemap import NODE_BYTES
from allocsim.core.raw import load_word
from allocsim.core.records import PARTS, SAMPLE, SPAN, HeapState, SpanState
from allocsim.designs.go2008 import CACHE_BYTES, DESIGN, SIZE_CLASSES, create
from tests.conftest import PAGE, Unsound, contents
from tests.core.test_chunk_refill import links
from tests.core.test_size_classes import SIZES

SMALL = 32768
BORDERS = [0, 1, 7, 8, 9, 120, 121, 240, 241, 481, 960, 961, 1921, 2048, 32512, 32513, 32767]
"""Small sizes at the ends of classes and of ranges of classes."""

LARGE = [32768, 32769, 36864, 36865, 1 << 20, (1 << 20) + 1, 300 * PAGE]


def slot(size: int) -> int:
    """Bytes that the object for a request really has, from the description."""
    if size >= SMALL:
        return -(-size // PAGE) * PAGE
    return next(known for known in SIZES if known >= size)


def malloc(state: HeapState, size: int, thread: int = 0) -> int:
    """malloc by a thread."""
    return operations.malloc(state, thread, size)


def measured(state: HeapState, live: int) -> np.record:
    """A sample of the heap."""
    samples = np.zeros(1, SAMPLE).view(np.recarray)
    operations.measure(state, live, samples[0])
    return samples[0]


def records(state: HeapState) -> list[bytes]:
    """Every record, but the last refusal and the lists of threads that do not exist."""
    system = state.system.copy()
    system.refusal = Status.OK
    return [table.tobytes() for table in (system, *state[1:-1], state.object_list[:4])]


@pytest.mark.parametrize("size", BORDERS + LARGE)
def test_object_has_the_size_of_its_class_or_whole_pages(state: HeapState, size: int) -> None:
    assert operations.usable_size(state, malloc(state, size)) == slot(size)


@pytest.mark.parametrize("size", [0, -1, -8, -(2**62), -(2**63)], ids=str)
def test_request_of_zero_or_less_is_an_object_of_8_bytes(state: HeapState, size: int) -> None:
    first, second = malloc(state, size), malloc(state, size)
    assert first != second
    assert operations.usable_size(state, first) == 8


def test_small_objects_of_a_class_lie_side_by_side(heap: Heap, state: HeapState) -> None:
    addresses = [malloc(state, 100) for _ in range(5)]
    assert addresses == [heap.memory.address + 104 * index for index in range(5)]


def test_thread_list_is_used_before_a_refill(state: HeapState) -> None:
    addresses = [malloc(state, 3000) for _ in range(341)]
    assert (len(set(addresses)), state.counters[0].refills) == (341, 1)
    malloc(state, 3000)
    assert state.counters[0].refills == 2


def test_object_goes_to_the_list_of_the_thread_that_frees_it(state: HeapState) -> None:
    address = malloc(state, 24, thread=0)
    assert operations.free(state, 1, address) == Status.OK
    assert links(state, 1, SIZES.index(24)) == [address]
    assert malloc(state, 24, thread=1) == address


def test_link_threads_through_the_freed_objects_themselves(state: HeapState) -> None:
    addresses = [malloc(state, 24) for _ in range(3)]
    for address in addresses:
        operations.free(state, 1, address)
    assert [load_word(address) for address in addresses] == [0, *addresses[:2]]


@pytest.mark.parametrize("size", [8, 24, 64, 72, 1000, 32767, 32768, 100_000])
def test_freed_memory_is_zero_but_for_its_link(heap: Heap, state: HeapState, size: int) -> None:
    address = malloc(state, size)
    contents(heap, address, slot(size))[:] = 0xEE
    operations.free(state, 0, address)
    assert not contents(heap, address + 8, slot(size) - 8).any()
    assert malloc(state, size) == address
    assert not contents(heap, address, slot(size)).any()


def test_free_clears_nothing_of_the_neighbours(heap: Heap, state: HeapState) -> None:
    for size in (24, 104, 40_000):
        addresses = [malloc(state, size) for _ in range(3)]
        for address in addresses:
            contents(heap, address, slot(size))[:] = 0xEE
        operations.free(state, 0, addresses[1])
        assert all(contents(heap, address, slot(size)).all() for address in addresses[::2])


def test_large_object_has_a_span_of_its_own(state: HeapState) -> None:
    address = malloc(state, SMALL)
    assert (state.span[1].address, state.span[1].pages) == (address, 8)
    assert state.counters[0].large_pages == 8
    operations.free(state, 0, address)
    assert (state.span[1].state, state.counters[0].large_pages) == (SpanState.FREE, 0)


def free_span_address(state: HeapState) -> int:
    """An address in the rest of the first growth."""
    malloc(state, 8)
    return int(state.system[0].next) - PAGE


def freed_large_object(state: HeapState) -> int:
    """The address of a large object that is free already."""
    address = malloc(state, SMALL)
    operations.free(state, 0, address)
    return address


def tail(state: HeapState) -> int:
    """The address behind the last object of a chunk."""
    return malloc(state, 3000) + 341 * 3072


Place = Callable[[HeapState], int]
INVALID: dict[str, tuple[Place, Status]] = {
    "null": (lambda _: 0, Status.UNKNOWN_POINTER),
    "before the heap": (lambda state: int(state.system[0].next) - 1, Status.UNKNOWN_POINTER),
    "behind the heap": (lambda state: int(state.system[0].next), Status.UNKNOWN_POINTER),
    "far away": (lambda _: 2**63 - 8, Status.UNKNOWN_POINTER),
    "free span": (free_span_address, Status.UNKNOWN_POINTER),
    "large and free": (freed_large_object, Status.UNKNOWN_POINTER),
    "stack": (lambda state: operations.allocate_stack(state, 1), Status.UNKNOWN_POINTER),
    "large + 1": (lambda state: malloc(state, SMALL) + 1, Status.NOT_SPAN_START),
    "large + 8": (lambda state: malloc(state, SMALL) + 8, Status.NOT_SPAN_START),
    "large + a page": (lambda state: malloc(state, SMALL) + PAGE, Status.NOT_SPAN_START),
    "small + 1": (lambda state: malloc(state, 24) + 1, Status.NOT_OBJECT_START),
    "small + 8": (lambda state: malloc(state, 24) + 8, Status.NOT_OBJECT_START),
    "small - 1": (lambda state: malloc(state, 24) + 23, Status.NOT_OBJECT_START),
    "tail": (tail, Status.NOT_OBJECT_START),
    "tail + 8": (lambda state: tail(state) + 8, Status.NOT_OBJECT_START),
}
invalid = pytest.mark.parametrize(("place", "status"), INVALID.values(), ids=INVALID)


@invalid
def test_invalid_free_says_why_and_changes_nothing(
    heap: Heap, state: HeapState, unsound: Unsound, place: Place, status: Status
) -> None:
    address = place(state)
    before, bytes_before = records(state), contents(heap, heap.memory.address, PAGE).tobytes()
    assert operations.free(state, 0, address) == status
    assert records(state) == before
    assert contents(heap, heap.memory.address, PAGE).tobytes() == bytes_before
    assert unsound() == []


@invalid
def test_inspect_says_what_free_would(state: HeapState, place: Place, status: Status) -> None:
    address = place(state)
    assert operations.inspect(state, address) == status
    assert operations.usable_size(state, address) == 0


def test_inspect_takes_a_free_small_object_for_one(state: HeapState) -> None:
    address = malloc(state, 24)
    operations.free(state, 0, address)
    assert operations.inspect(state, address) == Status.OK


@pytest.mark.parametrize("old", [1, 24, 100, 32767, 32768, 100_000])
@pytest.mark.parametrize("new", [1, 8, 25, 1000, 32767, 40_000])
def test_realloc_keeps_the_contents(heap: Heap, state: HeapState, old: int, new: int) -> None:
    address = malloc(state, old)
    written = np.random.default_rng(old).integers(0, 256, old).astype(np.uint8)
    contents(heap, address, old)[:] = written
    moved = operations.realloc(state, 0, address, new)
    kept = min(old, new)
    assert contents(heap, moved, kept).tolist() == written[:kept].tolist()
    assert not contents(heap, moved + old, max(new - old, 0)).any()
    assert operations.usable_size(state, moved) == slot(new)


def test_realloc_takes_the_new_object_before_it_frees_the_old(state: HeapState) -> None:
    address = malloc(state, 24)
    following = links(state, 0, SIZES.index(24))
    assert operations.realloc(state, 0, address, 24) == following[0]
    assert links(state, 0, SIZES.index(24)) == [address, *following[1:]]


def test_realloc_frees_to_the_calling_thread(state: HeapState) -> None:
    address = malloc(state, 24, thread=0)
    operations.realloc(state, 1, address, 50_000)
    assert links(state, 1, SIZES.index(24)) == [address]


@pytest.mark.parametrize(
    ("size", "status"),
    [(2**62, Status.OUT_OF_MEMORY), (2**20, Status.FROZEN), (32, Status.FROZEN)],
)
def test_refused_realloc_leaves_the_object_as_it_was(
    heap: Heap, state: HeapState, size: int, status: Status
) -> None:
    address = malloc(state, 24)
    contents(heap, address, 24)[:] = 7
    operations.freeze(state)
    before = records(state)
    assert operations.realloc(state, 0, address, size) == 0
    assert operations.refusal(state) == status
    assert contents(heap, address, 24).tolist() == [7] * 24
    assert records(state) == before


SOME_SIZES = [0, 1, 8, 24, 100, 500, 3000, 32767, 32768, 100_000]


@pytest.mark.parametrize("alignment", [1 << power for power in range(0, 22, 1)], ids=hex)
def test_aligned_objects_are_aligned_and_apart(
    heap: Heap, state: HeapState, unsound: Unsound, alignment: int
) -> None:
    sizes = SOME_SIZES * 2
    addresses = [operations.memalign(state, 0, alignment, size) for size in sizes]
    assert all(address and address % alignment == 0 for address in addresses)
    for number, (address, size) in enumerate(zip(addresses, sizes, strict=True), 1):
        assert not contents(heap, address, size).any()
        contents(heap, address, size)[:] = number
    for number, (address, size) in enumerate(zip(addresses, sizes, strict=True), 1):
        assert (contents(heap, address, size) == number).all()
        assert operations.free(state, 0, address) == Status.OK
    assert unsound() == []


@pytest.mark.parametrize("alignment", [1, 8, 16, 64, 256, 4096])
@pytest.mark.parametrize("size", SOME_SIZES)
def test_aligned_object_counts_as_malloc_of_its_size(
    state: HeapState, alignment: int, size: int
) -> None:
    address = operations.memalign(state, 0, alignment, size)
    assert operations.usable_size(state, address) == slot(size)
    assert state.counters[0].refills == (size < SMALL)


def test_aligned_object_is_looked_for_behind_others_of_its_class(state: HeapState) -> None:
    first = malloc(state, 48)
    assert operations.memalign(state, 0, 64, 48) == first + 4 * 48
    assert malloc(state, 48) == first + 48
    assert state.counters[0].refills == 1


def test_larger_class_serves_when_no_object_of_the_right_one_lies_right(state: HeapState) -> None:
    first, second = malloc(state, 48), malloc(state, 48)
    assert first % 64 == 0
    operations.free(state, 1, second)
    address = operations.memalign(state, 1, 64, 48)
    assert address % 64 == 0
    assert operations.usable_size(state, address) == 64
    assert links(state, 1, SIZES.index(48)) == [second]


@pytest.mark.parametrize("alignment", [64, 8192, 1 << 20])
@pytest.mark.parametrize("size", [100, 100_000, 2**40, 2**62])
def test_aligned_object_that_does_not_fit_is_refused(
    small_heap: Heap, alignment: int, size: int
) -> None:
    state = small_heap.state
    malloc(state, 4 << 20)
    assert operations.memalign(state, 0, alignment, size) == 0
    assert operations.refusal(state) == Status.OUT_OF_MEMORY


@pytest.mark.parametrize("alignment", [2**40, 2**46, 2**62], ids=hex)
def test_huge_alignment_is_refused(state: HeapState, unsound: Unsound, alignment: int) -> None:
    assert operations.memalign(state, 0, alignment, 1) == 0
    assert operations.refusal(state) == Status.OUT_OF_MEMORY
    assert unsound() == []


@pytest.mark.parametrize("size", [8, 1000, 50_000])
def test_calloc_gives_zeros_where_others_wrote(heap: Heap, state: HeapState, size: int) -> None:
    address = malloc(state, size)
    contents(heap, address, size)[:] = 0xFF
    operations.free(state, 0, address)
    assert operations.calloc(state, 0, size) == address
    assert not contents(heap, address, slot(size)).any()


@pytest.mark.parametrize(("size", "pages"), [(-1, 1), (0, 1), (1, 1), (4096, 1), (4097, 2)])
def test_stack_segment_is_whole_pages(state: HeapState, size: int, pages: int) -> None:
    address = operations.allocate_stack(state, size)
    assert (state.span[1].address, state.span[1].pages) == (address, pages)
    assert state.span[1].state == SpanState.STACK


def test_freed_stack_segment_is_cleared_and_used_again(heap: Heap, state: HeapState) -> None:
    address = operations.allocate_stack(state, 3 * PAGE)
    contents(heap, address, 3 * PAGE)[:] = 1
    assert operations.free_stack(state, address) == Status.OK
    assert not contents(heap, address, 3 * PAGE).any()
    assert operations.allocate_stack(state, 3 * PAGE) == address


NO_STACK: dict[str, tuple[Place, Status]] = {
    "null": (lambda _: 0, Status.UNKNOWN_POINTER),
    "small": (lambda state: malloc(state, 24), Status.UNKNOWN_POINTER),
    "large": (lambda state: malloc(state, SMALL), Status.UNKNOWN_POINTER),
    "inside": (lambda state: operations.allocate_stack(state, 1) + 8, Status.NOT_SPAN_START),
}


@pytest.mark.parametrize(("place", "status"), NO_STACK.values(), ids=NO_STACK)
def test_what_is_no_stack_segment_is_not_freed_as_one(
    state: HeapState, place: Place, status: Status
) -> None:
    address = place(state)
    before = records(state)
    assert operations.free_stack(state, address) == status
    assert records(state) == before


def test_stack_segment_is_freed_once(state: HeapState) -> None:
    address = operations.allocate_stack(state, 1)
    assert operations.free_stack(state, address) == Status.OK
    assert operations.free_stack(state, address) == Status.UNKNOWN_POINTER


@pytest.mark.parametrize("size", [2**30 + 1, 2**40, 2**47, 2**62, 2**63 - 1], ids=hex)
def test_huge_request_is_refused(state: HeapState, unsound: Unsound, size: int) -> None:
    for call in (
        lambda: malloc(state, size),
        lambda: operations.calloc(state, 0, size),
        lambda: operations.memalign(state, 0, 16, size),
        lambda: operations.memalign(state, 0, 2 * PAGE, size),
        lambda: operations.allocate_stack(state, size),
    ):
        state.system[0].refusal = Status.OK
        assert call() == 0
        assert operations.refusal(state) == Status.OUT_OF_MEMORY
    assert unsound() == []


def test_frozen_heap_gives_what_it_has_and_refuses_the_rest(
    state: HeapState, unsound: Unsound
) -> None:
    malloc(state, 8)
    operations.free(state, 0, malloc(state, SMALL))
    assert operations.freeze(state) == Status.OK
    assert malloc(state, 8)
    assert malloc(state, SMALL)
    assert (malloc(state, 16), malloc(state, SMALL)) == (0, 0)
    assert operations.refusal(state) == Status.FROZEN
    assert unsound() == []


def test_frozen_heap_takes_objects_back(state: HeapState, unsound: Unsound) -> None:
    held = [malloc(state, 8), malloc(state, SMALL)]
    operations.freeze(state)
    assert [operations.free(state, 0, address) for address in held] == [Status.OK] * 2
    assert unsound() == []


def test_a_cache_is_booked_as_a_head_and_a_length_for_each_class() -> None:
    assert CACHE_BYTES == 168 * 16


def test_thread_is_booked_when_it_begins(heap: Heap) -> None:
    before = operations.footprint(heap.state)
    assert operations.thread_begin(heap.state, 0) == Status.OK
    assert operations.footprint(heap.state) == before + (1 << 20)
    assert heap.state.system[0].chunk_left == (1 << 20) - CACHE_BYTES
    assert heap.state.counters[0].threads == 1


def test_thread_beyond_the_table_is_refused() -> None:
    state = create(Reservation(1 << 20), 2, {})
    began = [operations.thread_begin(state, thread) for thread in range(3)]
    assert began == [Status.OK, Status.OK, Status.OUT_OF_MEMORY]
    assert state.counters[0].threads == 2


def test_frozen_heap_begins_no_thread(heap: Heap) -> None:
    operations.freeze(heap.state)
    assert operations.thread_begin(heap.state, 0) == Status.FROZEN
    assert heap.state.counters[0].threads == 0


def test_end_of_a_thread_changes_nothing(state: HeapState) -> None:
    operations.free(state, 1, malloc(state, 24))
    before = records(state)
    assert operations.thread_done(state, 1) == Status.OK
    assert records(state) == before


def test_empty_heap_has_nothing_but_its_page_map() -> None:
    state = create(Reservation(1 << 20), 1, {})
    sample = measured(state, 0)
    assert [sample[name] for name in PARTS] == [0] * 8
    assert (sample.heap, sample.metadata, sample.footprint) == (0, NODE_BYTES, NODE_BYTES)


def test_each_part_is_what_was_done_to_it(state: HeapState) -> None:
    malloc(state, 3000)  # a chunk of 1 MiB: 341 objects of 3072 bytes and a tail of 1024
    malloc(state, 40_000)  # 10 pages of the next growth
    operations.free(state, 0, malloc(state, 60_000))  # 15 pages behind them
    sample = measured(state, 43_000)
    expected = {
        "live": 43_000,
        "rounding": 3072 + 10 * PAGE - 43_000,
        "tail": (1 << 20) - 341 * 3072,
        "thread_cache": 340 * 3072,
        "free_spans": (256 - 10) * PAGE,
    }
    assert {name: sample[name] for name in PARTS if sample[name]} == expected
    assert sample.heap == sum(expected.values()) == 2 << 20
    counted = {"spans_total": 4, "spans_in_use": 2, "spans_free": 2, "grows": 2, "splits": 2}
    assert {name: sample[name] for name in counted} == counted
    assert (sample.refills, sample.coalesces) == (1, 0)


def test_metadata_is_page_map_span_records_and_caches(state: HeapState) -> None:
    for _ in range(3):
        malloc(state, 40_000)
    sample, nodes = measured(state, 0), int(state.counters[0].nodes) - 1
    small = 2 * CACHE_BYTES + 4 * -(-SPAN.itemsize // 16) * 16
    assert sample.metadata == nodes * NODE_BYTES + (1 << 20)
    assert state.system[0].chunk_left == (1 << 20) - small
    assert sample.footprint == sample.heap + sample.metadata


def test_classes_tell_what_each_holds(state: HeapState) -> None:
    held = [malloc(state, 24) for _ in range(5)]
    operations.free(state, 1, held[0])
    used = [use for use in DESIGN.classes(state) if use.spans]
    assert [(use.object_size, use.spans, use.in_use, use.free) for use in used] == [
        (24, 1, 4, 1020)
    ]
    assert [use.object_size for use in DESIGN.classes(state)] == SIZES


def test_design_is_the_seeds() -> None:
    assert (DESIGN.name, DESIGN.zeroed, dict(DESIGN.parameters)) == ("go2008", True, {})
    assert DESIGN.size_classes({}) is SIZE_CLASSES
