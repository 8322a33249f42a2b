"""A library that did not serve the calls is found out."""

import dataclasses

import pytest

from allocsim.benchmark import proof
from allocsim.benchmark.proof import PROBE, require_served
from allocsim.errors import Corruption
from allocsim.libraries.find import load
from tests.compiled_libraries import Compiler


def test_library_that_served_is_believed() -> None:
    require_served(load("glibc"))


def test_functions_outside_its_file_are_found_out() -> None:
    stranger = dataclasses.replace(load("glibc"), path="/usr/lib/libother.so")
    with pytest.raises(Corruption, match=r"malloc at 0x\w+ lies outside the maps of .*libother"):
        require_served(stranger)


def test_counters_that_do_not_follow_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "read_counters", lambda _: {"stats.allocated": 5})
    with pytest.raises(Corruption, match=f"rose by 0 when it handed out {PROBE} bytes"):
        require_served(load("glibc"))


def test_library_without_counters_is_judged_by_the_maps(odd_library: Compiler) -> None:
    require_served(load(f"{odd_library('nothing')}:odd_"))
