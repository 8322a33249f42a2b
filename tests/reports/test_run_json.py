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
EXTRAS = {"moments", "warnings", "dropped", "notes", "parameters", "mode", "events", "verified"}

MOMENT = {"event", "parts", "heap", "metadata", "footprint", "fragmentation", "overhead"}

FRACTIONS = {"fragmentation", "overhead", "seconds", "ns_per_event", "events_per_second"}


@pytest.fixture
def found(result: Result) -> dict[str, Any]:
    """The object, as another program reads it."""
    found: dict[str, Any] = json.loads(json_text(result))
    return found


def test_keys_are_the_promised_ones(found: dict[str, Any]) -> None:
    assert set(found) == PROMISED | EXTRAS
    assert set(found["at_peak"]) == MOMENT
    assert set(found["at_end"]) == MOMENT | {"resident"}
    assert list(found["at_peak"]["parts"]) == list(found["at_end"]["parts"]) == list(PARTS)
    assert set(found["spans"]) == {"total", "in_use", "free"}
    assert set(found["counters"]) == {"grows", "splits", "coalesces", "refills"}
    assert set(found["time"]) == {"seconds", "ns_per_event", "events_per_second"}


def leaves(value: Any, name: str = "") -> list[tuple[str, Any]]:
    """Return every value with its key."""
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in leaves(inner, key)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in leaves(inner, name)]
    return [(name, value)]


def test_numbers_are_integers_except_shares_and_times(found: dict[str, Any]) -> None:
    numbers = [leaf for leaf in leaves(found) if not isinstance(leaf[1], str | None)]
    assert len(numbers) > 30
    for key, value in numbers:
        assert type(value) is (float if key in FRACTIONS else int), key


def test_parts_sum_to_the_heap(found: dict[str, Any]) -> None:
    for moment in (found["at_peak"], found["at_end"]):
        parts = moment["parts"]
        assert sum(parts.values()) == moment["heap"]
        assert moment["footprint"] == moment["heap"] - parts["released"] + moment["metadata"]
        assert moment["fragmentation"] == 1 - parts["live"] / moment["footprint"]


def test_values_are_those_of_the_profile(found: dict[str, Any], result: Result) -> None:
    profile = result.profile
    assert found["schema"] == SCHEMA == "allocsim/profile/1"
    assert (found["version"], found["design"]) == (__version__, "go2008")
    assert (found["seed"], found["events"], found["parameters"]) == (1, 120, {})
    assert found["command"] == "allocsim random --ops 120"
    assert found["peak_live"] == profile.peak_live
    assert found["at_end"]["resident"] == profile.resident
    assert found["at_peak"]["parts"] == profile.at_peak.parts
    assert found["spans"] == profile.at_end.spans
    assert found["time"]["seconds"] == profile.seconds


def test_workload_has_its_name_and_parameters(found: dict[str, Any]) -> None:
    workload = found["workload"]
    assert (workload["name"], workload["kind"], workload["ops"]) == ("random", "random", 120)
    assert workload["size"] == {"distribution": "log-uniform", "max": 100_000}


def test_nothing_live_has_no_overhead(nothing: Result) -> None:
    found = json.loads(json_text(nothing))
    assert found["at_end"]["overhead"] is None
    assert (found["seed"], found["peak_live"], found["time"]["ns_per_event"]) == (None, 0, 0.0)


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
