"""The JSON object: exactly the promised keys, and bytes as whole numbers."""

import json
from typing import Any

import pytest

from allocsim import __version__
from allocsim.core.records import PARTS
from allocsim.reports import Result
from allocsim.reports.run_text import SCHEMA, as_json, json_text

PROMISED = {
    "schema", "version", "command", "seed", "workload", "design", "at_peak", "at_end",
    "peak_live", "spans", "counters", "native_counters", "time",
}  # fmt: skip
EXTRAS = {"dropped", "notes", "parameters", "events", "verified"}

MOMENT = {"event", "parts", "heap", "metadata", "footprint", "fragmentation", "overhead"}

FRACTIONS = {"fragmentation", "overhead", "seconds", "ns_per_event", "events_per_second"}


@pytest.fixture
def told(result: Result) -> dict[str, Any]:
    """The object, as another program reads it."""
    found: dict[str, Any] = json.loads(json_text(result))
    return found


def test_keys_are_the_promised_ones(told: dict[str, Any]) -> None:
    assert set(told) == PROMISED | EXTRAS
    assert set(told["at_peak"]) == MOMENT
    assert set(told["at_end"]) == MOMENT | {"resident"}
    assert list(told["at_peak"]["parts"]) == list(told["at_end"]["parts"]) == list(PARTS)
    assert set(told["spans"]) == {"total", "in_use", "free"}
    assert set(told["counters"]) == {"grows", "splits", "coalesces", "refills"}
    assert set(told["time"]) == {"seconds", "ns_per_event", "events_per_second"}


def leaves(value: Any, name: str = "") -> list[tuple[str, Any]]:
    """Every value with its key."""
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in leaves(inner, key)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in leaves(inner, name)]
    return [(name, value)]


def test_numbers_are_whole_but_for_shares_and_times(told: dict[str, Any]) -> None:
    numbers = [(key, value) for key, value in leaves(told) if not isinstance(value, str)]
    assert len(numbers) > 30
    for key, value in numbers:
        assert type(value) is (float if key in FRACTIONS else int), key


def test_parts_sum_to_the_heap(told: dict[str, Any]) -> None:
    for moment in (told["at_peak"], told["at_end"]):
        parts = moment["parts"]
        assert sum(parts.values()) == moment["heap"]
        assert moment["footprint"] == moment["heap"] - parts["released"] + moment["metadata"]
        assert moment["fragmentation"] == 1 - parts["live"] / moment["footprint"]


def test_values_are_those_of_the_profile(told: dict[str, Any], result: Result) -> None:
    profile = result.profile
    assert told["schema"] == SCHEMA == "allocsim/profile/1"
    assert (told["version"], told["design"]) == (__version__, "go2008")
    assert (told["seed"], told["events"], told["parameters"]) == (1, 120, {})
    assert told["command"] == "allocsim random --ops 120"
    assert told["peak_live"] == profile.peak_live
    assert told["at_end"]["resident"] == profile.resident
    assert told["at_peak"]["parts"] == profile.at_peak.parts
    assert told["spans"] == profile.at_end.spans
    assert told["time"]["seconds"] == profile.seconds


def test_workload_has_its_name_and_parameters(told: dict[str, Any]) -> None:
    workload = told["workload"]
    assert (workload["name"], workload["kind"], workload["ops"]) == ("random", "random", 120)
    assert workload["size"] == {"distribution": "log-uniform", "max": 100_000}


def test_nothing_live_has_no_overhead(nothing: Result) -> None:
    told = json.loads(json_text(nothing))
    assert told["at_end"]["overhead"] is None
    assert (told["seed"], told["peak_live"], told["time"]["ns_per_event"]) == (None, 0, 0.0)


def test_import_is_accounted_for(nothing: Result) -> None:
    nothing.trace.dropped["overlap"] = 5
    nothing.trace.notes.append("a note")
    try:
        assert (as_json(nothing)["dropped"], as_json(nothing)["notes"]) == (
            {"overlap": 5},
            ["a note"],
        )
    finally:
        nothing.trace.dropped.clear()
        nothing.trace.notes.clear()
