"""The design glibc places every object where the library does, and a difference is reported."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from allocsim.core.jit import PURE
from allocsim.errors import EnvironmentLacks
from allocsim.libraries.counters import MALLINFO
from tests.equality import glibc_workloads as own
from tests.equality import workloads as made
from tests.equality.checkpoints import slices
from tests.equality.glibc_equality import (
    Equality,
    Replayed,
    compare_with_library,
    require_modelled_library,
    tunables,
)
from tests.equality.glibc_places import ROW
from tests.equality.test_equality import concatenated

Make = Callable[[], Any]


@cache
def _why_not_modelled() -> str:
    """Return why the design cannot be compared with the installed library, or "" if it can."""
    try:
        require_modelled_library()
    except EnvironmentLacks as lacking:
        return str(lacking)
    return ""


@cache
def compared(make: Make, every: int, *parameters: tuple[str, int]) -> Equality:
    """Compare the design with the library, once; skip the test if that is impossible."""
    if _why_not_modelled():
        pytest.skip(_why_not_modelled())
    return compare_with_library(make(), every, **dict(parameters))


def assert_equal(found: Equality, events: int, every: int) -> None:
    """Check that everything is equal, at every checkpoint expected."""
    assert found.first_difference() == ""
    assert found.equal == found.checkpoints == len(slices(events, every)) > 2
    assert found.equal_places == found.places > events // 3
    assert found.has_equal_info
    assert found.real.info["heap0.rest.count"] > 0
    assert (found.real.rows["arena"] > 0).all()


def everything() -> Any:
    """Return a short stream in which one thread uses every rule of glibc's malloc."""
    return concatenated(
        made.churn(3000, 1000, made.log_uniform(1 << 20), 3),
        made.phases(4, 4),
        made.reallocs(3000, 6),
        made.aligned(3000, 7),
        made.requested_releases(3000, 9),
        own.fifo(6000, 1000, made.log_uniform(20_000), 21),
        own.equal_large_sizes(6000, 22),
        own.borders(6000, 23),
        own.thresholds(24),
    )


def threads() -> Any:
    """Return a stream of threads that free each other's objects, begin and end, and fill heaps."""
    return concatenated(
        made.stealing(3000, 14), made.queue_between_threads(11_000, 12), own.heap_limits(27)
    )


def unsorted_limit() -> Any:
    """Return a stream that puts more chunks on the unsorted list than one call sorts."""
    return own.many_unsorted(25).events()


def few() -> Any:
    """Return a stream that is short enough for pure Python, on two threads."""
    return concatenated(own.borders(300, 1), own.anything(300, 5), own.anything(300, 2))


CASES: dict[str, tuple[Make, dict[str, int]]] = {
    "everything": (everything, {}),
    "threads": (threads, {}),
    "10,000 unsorted chunks": (unsorted_limit, {}),
    "no caches, no fastbins": (everything, {"tcache_count": 0, "mxfast": 0}),
    "limit of unsorted chunks": (everything, {"tcache_unsorted_limit": 2, "tcache_max": 300}),
    "fixed thresholds": (everything, {"mmap_threshold": 30_000, "trim_threshold": 500_000}),
    "no padding": (everything, {"top_pad": 0, "mmap_max": 3}),
    "two arenas": (threads, {"arena_max": 2, "top_pad": 4096}),
    "arenas for each core": (threads, {"arena_test": 1, "tcache_count": 2}),
}


@pytest.mark.skipif(PURE, reason="too slow in pure Python")
@pytest.mark.parametrize(("make", "parameters"), CASES.values(), ids=CASES)
def test_every_object_has_the_place_of_the_library(make: Make, parameters: dict[str, int]) -> None:
    assert_equal(compared(make, 500, *parameters.items()), len(make()), 500)


@pytest.mark.skipif(PURE, reason="too slow in pure Python")
@pytest.mark.parametrize("seed", range(0, 40, 5))
def test_random_calls_have_the_places_of_the_library(seed: int) -> None:
    def make() -> Any:
        """Return random calls."""
        return own.anything(2000, seed).events()

    found = compared(make, 200, *own.tunables(seed).items())
    assert found.first_difference() == ""


def test_few_events_have_the_places_of_the_library() -> None:
    assert_equal(compared(few, 50), len(few()), 50)


def test_difference_of_a_parameter_is_described() -> None:
    real, other = compared(few, 50), compared(few, 50, ("mxfast", 0))
    assert other.first_difference() == ""  # both sides with mxfast=0
    found = Equality(real.real, other.simulated)
    assert found.equal_places < found.places
    assert found.first_difference().startswith("event ")


def replayed(*arenas: int) -> Replayed:
    """Return a replay of one object, with a checkpoint for each value of `arena`."""
    rows = np.zeros(len(arenas), ROW)
    rows["event"] = range(1000, 1000 * len(arenas) + 1, 1000)
    rows["arena"] = arenas
    return Replayed(rows, np.array([[0x2A0, 33, 0]]))


def test_first_difference_names_the_field_and_both_numbers() -> None:
    found = Equality(replayed(5, 1_000_000, 7), replayed(5, 2_000_000, 8))
    assert (found.equal, found.checkpoints) == (1, 3)
    assert found.first_difference() == (
        "after 2,000 events: arena: library 1,000,000, design 2,000,000"
    )


def test_first_difference_names_the_event_and_both_places() -> None:
    other = Replayed(replayed(5).rows, np.array([[0x2C0, 33, 7]]))
    found = Equality(replayed(5), other)
    assert (found.equal_places, found.places) == (0, 1)
    assert found.first_difference() == (
        "event 1: library at 0x2a0 (head 0x21), design at 0x2c0 (head 0x21)"
    )


def test_address_of_a_mapping_is_not_compared() -> None:
    other = Replayed(replayed(5).rows, np.array([[0x2A0, 33, 4096]]))
    assert Equality(replayed(5), other).first_difference() == ""


def test_difference_of_malloc_info_is_described() -> None:
    real, other = (replace(replayed(5), info={"heap0.rest.size": size}) for size in (7, 8))
    assert not Equality(real, other).has_equal_info
    assert Equality(real, other).first_difference() == (
        "malloc_info heap0.rest.size: library 7, design 8"
    )


def test_tunables_leave_out_what_is_no_tunable() -> None:
    assert tunables({"mxfast": 60, "cores": 3, "top_pad": 0}) == (
        "glibc.malloc.mxfast=60:glibc.malloc.top_pad=0"
    )


def test_row_has_the_fields_of_mallinfo() -> None:
    assert ROW.names == ("event", *MALLINFO)


@pytest.mark.parametrize(
    ("installed", "host", "message"),
    [
        ("2.41, /lib/libc.so.6", "mimalloc", r"models glibc 2\.36; installed: 2\.41"),
        ("2.36, /lib/libc.so.6", None, "neither mimalloc nor jemalloc is installed"),
    ],
)
def test_library_that_cannot_be_compared_is_an_error(
    monkeypatch: pytest.MonkeyPatch, installed: str, host: str | None, message: str
) -> None:
    module = "tests.equality.glibc_equality"
    monkeypatch.setattr(f"{module}.describe_libraries", lambda: {"glibc": installed})
    monkeypatch.setattr(f"{module}.host_of", lambda _: host)
    with pytest.raises(EnvironmentLacks, match=message):
        require_modelled_library()
