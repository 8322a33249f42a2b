"""A new heap: its tables, its parameters, and the three startup states."""

from collections.abc import Iterator

import pytest

from allocsim import Heap
from allocsim.core.memory import Reservation
from allocsim.designs.table_parameter import KEY
from allocsim.designs.tcmalloc import DESIGN, create
from allocsim.designs.tcmalloc.cache_limit import MIN_THREAD_CACHE_SIZE, STEAL_AMOUNT
from allocsim.designs.tcmalloc.page_release import DEFAULT_RELEASE_DELAY
from allocsim.designs.tcmalloc.pagemap import LEAF_ROWS, LEAF_SPAN
from allocsim.designs.tcmalloc.records import orphan
from allocsim.designs.tcmalloc.size_classes import PAGE, size_map
from allocsim.designs.tcmalloc.state import PARAMETERS, STARTUPS, placement, size_classes
from allocsim.designs.tcmalloc.thread_cache import fetch_from_central_cache
from allocsim.errors import InputError, UnknownName
from tests.conftest import RESERVE
from tests.designs.tcmalloc.lookup import cached, class_for

MIB = 1 << 20

COUNTERS = {
    "none": (0, 0, 0, 0),
    "dlopen": (MIB, 126 * PAGE, 1023 * 8 + 511 * 16, 24),
    "preload": (MIB, 117 * PAGE, 1023 * 8 + 511 * 16, 73752),
}
"""At main(), in bytes: heap, free pages, central free lists, allocated."""


@pytest.fixture(params=STARTUPS)
def begun(request: pytest.FixtureRequest) -> Iterator[Heap]:
    """A heap in each startup state."""
    with Heap("tcmalloc", reserve=RESERVE, startup=request.param) as heap:
        yield heap


def startup(heap: Heap) -> str:
    """Return the name of a heap's startup state."""
    return STARTUPS[heap.parameters["startup"]]


def test_heap_counts_what_the_library_counts_at_main(begun: Heap) -> None:
    size, free, central, allocated = COUNTERS[startup(begun)]
    started = startup(begun) != "none"
    assert begun.native_counters() == {
        "generic.heap_size": size,
        "generic.current_allocated_bytes": allocated,
        "generic.total_physical_bytes": size + (2_490_368 if started else 3 << 17),
        "tcmalloc.pageheap_free_bytes": free,
        "tcmalloc.pageheap_unmapped_bytes": 0,
        "tcmalloc.central_cache_free_bytes": central,
        "tcmalloc.transfer_cache_free_bytes": 0,
        "tcmalloc.thread_cache_free_bytes": 0,
        "tcmalloc.pageheap_committed_bytes": size,
        "tcmalloc.pageheap_scavenge_count": 0,
        "tcmalloc.pageheap_commit_count": int(started),
        "tcmalloc.pageheap_total_commit_bytes": size,
        "tcmalloc.pageheap_decommit_count": 0,
        "tcmalloc.pageheap_total_decommit_bytes": 0,
        "tcmalloc.pageheap_reserve_count": int(started),
        "tcmalloc.pageheap_total_reserve_bytes": size,
    }


def test_started_heap_is_valid_and_nothing_of_it_is_live(begun: Heap) -> None:
    assert begun.check() == []
    assert begun.live == begun.profile().live == 0


def test_startup_loses_a_cache_with_its_share_of_the_limit(begun: Heap) -> None:
    state, started = begun.state, startup(begun) != "none"
    assert state.cache[orphan(state)].alive == state.cache[0].alive == started
    caches = 2 if started else 0
    assert state.static[0].unclaimed_cache_space == (32 << 20) - caches * STEAL_AMOUNT
    assert state.static[0].thread_heap_count == caches


def test_startup_allocated_8_bytes_twice_and_16_once(begun: Heap) -> None:
    lists, started = begun.state.free_list[0], startup(begun) != "none"
    assert [int(lists[class_for(size)].max_length) for size in (8, 16)] == (
        [2, 2] if started else [0, 0]
    )
    assert cached(begun.state, 0, class_for(8)) == []


def test_nothing_is_released_before_2_gib_are_freed(begun: Heap) -> None:
    # Except in the state "none", the first growth sets the counter, and then one page is freed.
    expected = DEFAULT_RELEASE_DELAY if startup(begun) == "none" else DEFAULT_RELEASE_DELAY - 1
    assert begun.state.page_heap[0].scavenge_counter == expected
    assert begun.state.page_heap[0].release_rate == 1


def test_metadata_at_the_start_is_a_leaf_and_three_chunks(begun: Heap) -> None:
    leaf = (2 << 20) if startup(begun) != "none" else 0
    assert begun.profile().metadata == leaf + 3 * (128 << 10)


@pytest.mark.parametrize("start_page", [0, 1, 1000, LEAF_ROWS - 1])
def test_heap_starts_at_its_page_of_a_2_gib_region(start_page: int) -> None:
    with Heap("tcmalloc", reserve=RESERVE, start_page=start_page) as heap:
        assert heap.memory.address % LEAF_SPAN == start_page * PAGE
        regions = 2 if start_page in (0, LEAF_ROWS - 1) else 1
        assert heap.profile().metadata == regions * (2 << 20) + 3 * (128 << 10)


def test_placement_is_in_bytes() -> None:
    assert placement({"start_page": 5}) == (2 << 30, 5 * 8192)


@pytest.mark.parametrize(
    ("setting", "limit"),
    [
        (0, MIN_THREAD_CACHE_SIZE),
        (1, MIN_THREAD_CACHE_SIZE),
        (MIN_THREAD_CACHE_SIZE, MIN_THREAD_CACHE_SIZE),
        (5 * MIB, 5 * MIB),
        (1 << 31, 1 << 30),
    ],
)
def test_limit_of_caches_is_clamped_as_in_the_library(setting: int, limit: int) -> None:
    with Heap(
        "tcmalloc", reserve=RESERVE, startup="none", max_total_thread_cache_bytes=setting
    ) as heap:
        assert (
            heap.state.static[0].overall_thread_cache_size
            == heap.state.static[0].unclaimed_cache_space
            == limit
        )


@pytest.mark.parametrize("objects", [2, 8, 32, 64])
def test_batches_change_the_classes(objects: int) -> None:
    table = size_classes(DESIGN.checked({"transfer_num_obj": objects}))
    expected = size_map(objects)
    assert table.count == len(expected)
    assert [table.object_size(n) for n in range(1, table.count + 1)] == [
        found.object_size for found in expected
    ]
    with Heap("tcmalloc", reserve=RESERVE, transfer_num_obj=objects) as heap:
        infos = heap.state.size_class[1:]
        assert infos.batch.max() == objects
        assert [tuple(info)[:4] for info in infos.tolist()] == [tuple(f) for f in expected]
        heap.free(heap.malloc(100))
        assert heap.check() == []


def test_use_of_a_heap_does_not_change_the_initial_state_of_the_next() -> None:
    tables = []
    for _ in range(2):
        with Heap("tcmalloc", reserve=RESERVE, startup="none") as heap:
            tables.append([heap.state.size_class.tolist(), heap.state.class_index.tolist()])
            heap.state.size_class[:] = 7
            heap.state.class_index[:] = 7
    assert tables[0] == tables[1]


def test_request_beyond_the_largest_class_has_none() -> None:
    table = size_classes(DESIGN.checked({}))
    assert (table.first, table.count, table.page_size) == (1, 85, 8192)
    assert [table.class_of(request) for request in (0, 1, 8, 9, 262144)] == [1, 1, 1, 2, 85]
    assert table.class_of(262145) == 86
    assert (table.chunk_of(8), table.chunk_of(262144)) == (PAGE, 262144)


@pytest.mark.parametrize("rate", [0, 7, 1000])
def test_release_rate_is_kept(rate: int) -> None:
    with Heap("tcmalloc", reserve=RESERVE, release_rate=rate) as heap:
        assert heap.state.page_heap[0].release_rate == rate


def test_aggressive_decommit_leaves_no_free_page_in_memory() -> None:
    with Heap("tcmalloc", reserve=RESERVE, aggressive_decommit=1) as heap:
        address = heap.malloc(1_000_000)
        heap.view(address)[:] = b"x" * 1_000_000
        heap.free(address)
        parts = heap.profile().parts
        assert (parts["free_spans"], parts["released"] > 1_000_000) == (0, True)
        assert heap.check() == []


def test_defaults_are_the_librarys() -> None:
    assert DESIGN.checked({}) == {
        "max_total_thread_cache_bytes": 32 << 20,
        "transfer_num_obj": 32,
        "release_rate": 1,
        "aggressive_decommit": 0,
        "start_page": 1,
        "startup": 0,
        KEY: 0,
    }


WRONG = {
    "max_total_thread_cache_bytes": -1,
    "transfer_num_obj": 1,
    "release_rate": 1001,
    "aggressive_decommit": 2,
    "start_page": LEAF_ROWS,
}


@pytest.mark.parametrize(("name", "value"), WRONG.items())
def test_parameter_out_of_range_is_an_error(name: str, value: int) -> None:
    with pytest.raises(
        InputError, match=f"{name}={value}: expected 0 |{name}={value}: expected 2 to"
    ):
        Heap("tcmalloc", **{name: value})


@pytest.mark.parametrize(("text", "value"), [("yes", 1), ("off", 0), ("true", 1), ("1", 1)])
def test_switch_may_be_a_word(text: str, value: int) -> None:
    with Heap("tcmalloc", aggressive_decommit=text) as heap:
        assert heap.parameters["aggressive_decommit"] == value


def test_every_number_has_a_wrong_value() -> None:
    numbers = {name for name, known in PARAMETERS.items() if not known.names}
    assert set(WRONG) == numbers - {KEY}


@pytest.mark.parametrize("value", ["", "linked", 0, 3])
def test_startup_is_given_by_name(value: int | str) -> None:
    with pytest.raises(InputError, match=r"startup=.*: expected one of preload, dlopen, none"):
        Heap("tcmalloc", startup=value)


def test_startup_is_shown_by_its_name() -> None:
    assert DESIGN.shown(DESIGN.checked({"startup": "none"}))["startup"] == "none"


def test_unknown_parameter_is_an_error() -> None:
    with pytest.raises(UnknownName, match="release_rate"):
        Heap("tcmalloc", release_rat=1)


def test_tables_have_a_row_per_thread_and_one_for_the_lost_cache() -> None:
    memory = Reservation(1 << 20, *placement({"start_page": 1}))
    heap = create(memory, 3, DESIGN.checked({}))
    assert (len(heap.cache), len(heap.free_list), orphan(heap)) == (4, 4, 3)
    assert memory.address < fetch_from_central_cache(heap, 2, 1) < memory.address + memory.length
