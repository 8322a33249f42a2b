"""Modes: the meaning of the parameters, and the effect of a free in each mode."""

import pytest

from allocsim import Heap
from allocsim.designs.go import DESIGN
from allocsim.errors import InputError

DEATH = "A free means that the object dies; dead objects are "

SENTENCES: list[tuple[dict[str, int | str], str]] = [
    ({}, DEATH + "collected by the pacer (GOGC=100)."),
    ({"GOGC": "off"}, DEATH + "never collected."),
    (
        {"GOGC": "off", "GOMEMLIMIT": "64MiB"},
        DEATH + "collected by the pacer (GOMEMLIMIT=64MiB).",
    ),
    ({"direct": 1}, "A free takes effect at once; nothing is collected."),
    (
        {"collect": 1000, "freegc": 1, "GOGC": 50},
        "A free means that the next object of the class reuses the memory; "
        "dead objects are collected by "
        "the pacer (GOGC=50) and after every 1,000 events.",
    ),
]


@pytest.mark.parametrize(("settings", "sentence"), SENTENCES)
def test_mode_says_what_a_free_means(settings: dict[str, int | str], sentence: str) -> None:
    assert DESIGN.mode(DESIGN.checked(settings)) == sentence


@pytest.mark.parametrize("other", [{"freegc": 1}, {"collect": 5}, {"GOMEMLIMIT": 1 << 26}])
def test_direct_goes_with_no_collection(other: dict[str, int]) -> None:
    with pytest.raises(InputError, match="direct=1 collects nothing"):
        Heap("go", direct=1, **other)


def test_off_is_a_value_of_gogc() -> None:
    values = DESIGN.checked({"GOGC": "off"})
    assert values["GOGC"] == -1
    assert DESIGN.shown(values)["GOGC"] == "off"
    with pytest.raises(InputError, match="expected 0 to 1,048,576, or off"):
        DESIGN.checked({"GOGC": "never"})


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [
        ("64MiB", 64 << 20, "64MiB"),
        ("1024KiB", 1 << 20, "1MiB"),
        ("3TiB", 3 << 40, "3TiB"),
        ("1000B", 1000, 1000),
        ("0", 0, 0),
        ("+07KiB", 7 << 10, "7KiB"),
        ("-0", 0, 0),
        ("0" * 5000 + "8GiB", 8 << 30, "8GiB"),
        (str((1 << 63) - 1), (1 << 63) - 1, "off"),
        ("off", (1 << 63) - 1, "off"),
    ],
)
def test_memory_limit_is_read_as_go_reads_it(text: str, limit: int, shown: int | str) -> None:
    values = DESIGN.checked({"GOMEMLIMIT": text})
    assert values["GOMEMLIMIT"] == limit
    assert DESIGN.shown(values)["GOMEMLIMIT"] == shown
    assert DESIGN.checked(DESIGN.shown(values)) == values


REFUSED = ["64MB", "64M", "64mib", "1.5GiB", "-1", " 1", "KiB", "1e6", "", "1_0", "\u0661"]
"""Sizes that Go does not accept: a Go program with such a GOMEMLIMIT ends at once."""


@pytest.mark.parametrize("text", [*REFUSED, "8388608TiB", "9223372036854775808", "9" * 5000])
def test_memory_limit_that_go_refuses_is_an_error(text: str) -> None:
    with pytest.raises(InputError, match=r"expected bytes below 2.63, as in 67108864 or 64MiB"):
        DESIGN.checked({"GOMEMLIMIT": text})


@pytest.mark.slow
def test_memory_limit_bounds_the_heap_without_gogc() -> None:
    with Heap("go", reserve=64 << 20, GOGC="off", GOMEMLIMIT="12MiB") as heap:
        for _ in range(1000):
            heap.free(heap.malloc(30 << 10))
        assert heap.native_counters()["NumGC"] > 0
        assert heap.profile().footprint < 12 << 20
        assert heap.check() == []


def test_direct_free_makes_the_slot_free(direct_heap: Heap) -> None:
    first, *rest = [direct_heap.malloc(8192) for _ in range(3)]
    direct_heap.free(first)
    assert direct_heap.profile().parts["transfer"] == 0
    assert direct_heap.native_counters()["HeapObjects"] == len(rest)


def test_freed_object_is_dead_until_a_collection(go_heap: Heap) -> None:
    go_heap.free(go_heap.malloc(1000))
    parts = go_heap.profile().parts
    assert (parts["live"], parts["transfer"]) == (0, 1024)


def test_collection_after_events_takes_the_dead() -> None:
    with Heap("go", reserve=64 << 20, GOGC="off", collect=4) as heap:
        first, second = heap.malloc(1000), heap.malloc(1000)
        heap.free(first)
        assert heap.native_counters()["NumGC"] == 0
        heap.free(second)
        counters = heap.native_counters()
        assert (counters["NumGC"], counters["HeapObjects"], counters["HeapInuse"]) == (1, 0, 0)
        assert heap.check() == []


def test_freegc_reuses_the_object_freed_last() -> None:
    with Heap("go", reserve=64 << 20, GOGC="off", freegc=1) as heap:
        first, second = heap.malloc(100), heap.malloc(100)
        heap.free(first)
        heap.free(second)
        assert heap.profile().parts["transfer"] == 0
        assert [heap.malloc(97), heap.malloc(112)] == [second, first]
        tiny = heap.malloc(3)
        heap.free(tiny)
        assert heap.profile().parts["transfer"] == 16
        assert heap.check() == []


def test_pacer_collects_when_the_heap_has_grown() -> None:
    with Heap("go", reserve=64 << 20, GOGC=100) as heap:
        for _ in range(200):
            heap.free(heap.malloc(32 << 10))
        counters = heap.native_counters()
        assert counters["NumGC"] == 1  # the trigger is 61/64 of 4 MiB, the size of 122 objects
        assert counters["NextGC"] == 4 << 20


def released(scavenger: int | str, events: int) -> int:
    """Return how many bytes are released after `events` small allocations.

    The first of these allocations starts a collection, which frees 32 MiB. The collection makes
    the heap grow by a chunk of 4 MiB for its work buffers.
    """
    space = 256 << 20
    with Heap("go", reserve=space, GOGC="off", collect=1025, scavenger=scavenger) as heap:
        for address in [heap.malloc(64 << 10) for _ in range(512)]:
            heap.free(address)
        for _ in range(events):
            heap.malloc(0)
        assert heap.native_counters()["NumGC"] == 1
        assert heap.check() == []
        return heap.profile().parts["released"]


@pytest.mark.slow
def test_scavenger_takes_a_step_in_each_period() -> None:
    """A step releases 64 KiB or, as here, the whole huge page of 2 MiB that contains them."""
    unused = released("off", 900)
    assert unused == (4 << 20) - (32 << 10)
    after = [released(100, events) for events in (1, 100, 101, 200, 201, 900)]
    assert after == [step * (2 << 20) + (4 << 20) for step in (1, 1, 2, 2, 3, 9)]
    assert released(10_000, 900) == after[0]


@pytest.mark.slow
def test_scavenger_with_period_0_takes_all_steps_at_once() -> None:
    """The scavenger retains 1.1 times the memory in use, and here nothing is in use."""
    assert released(0, 1) == released(0, 900) == released(1, 100) == 36 << 20
