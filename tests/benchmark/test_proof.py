"""Calls that did not reach the library are detected."""

import dataclasses

import pytest

from allocsim.benchmark import proof
from allocsim.benchmark.proof import PROBE_SIZE, count_aligned, require_functions, require_served
from allocsim.errors import Corruption, EnvironmentLacks
from allocsim.events import Op, no_events
from allocsim.libraries.load import load
from tests.compiled_libraries import Compiler


def test_library_that_served_passes() -> None:
    require_served(load("glibc"))


def test_functions_outside_its_mapping_are_an_error() -> None:
    stranger = dataclasses.replace(load("glibc"), path="/usr/lib/libother.so")
    with pytest.raises(Corruption, match=r"malloc at 0x\w+ is outside the mapping of .*libother"):
        require_served(stranger)


def test_counter_that_does_not_rise_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "read_counters", lambda _: {"stats.allocated": 5})
    with pytest.raises(Corruption, match=f"rose by 0 when {2 * PROBE_SIZE:,} bytes were allocated"):
        require_served(load("glibc"))


def test_library_without_counters_passes_by_its_mapping(odd_library: Compiler) -> None:
    require_served(load(f"{odd_library('nothing')}:odd_"))


def test_counter_of_committed_bytes_rises_once_the_free_ones_are_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    readings = iter([100 << 20, 100 << 20, (100 << 20) + PROBE_SIZE])
    monkeypatch.setattr(proof, "read_counters", lambda _: {"stats.allocated": next(readings)})
    require_served(load("glibc"))


def test_workload_that_calls_memalign_needs_a_library_that_has_it() -> None:
    library, events = load("glibc"), no_events(3)
    events.op[:] = Op.MALLOC, Op.MEMALIGN, Op.MALLOC
    require_functions(library, count_aligned(events))
    library.state.function[4] = 0
    with pytest.raises(EnvironmentLacks, match="has no memalign, which the workload calls 1 time"):
        require_functions(library, count_aligned(events))
    require_functions(library, 0)
