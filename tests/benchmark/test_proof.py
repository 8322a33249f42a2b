"""A library that did not serve the calls is detected."""

import dataclasses

import pytest

from allocsim.benchmark import proof
from allocsim.benchmark.proof import PROBE_SIZE, require_served
from allocsim.errors import Corruption
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
    with pytest.raises(Corruption, match=f"rose by 0 when {PROBE_SIZE:,} bytes were allocated"):
        require_served(load("glibc"))


def test_library_without_counters_passes_by_its_mapping(odd_library: Compiler) -> None:
    require_served(load(f"{odd_library('nothing')}:odd_"))
