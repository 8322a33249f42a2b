"""The conditions under which a table is recommended, and the sentences of the verdict."""

from dataclasses import replace
from typing import Any

import pytest

from allocsim.tuning.search import Search
from allocsim.tuning.verdict import objections, remarks
from tests.tuning.tuned import row, tuning


def test_table_is_recommended_if_it_gains_and_others_gain() -> None:
    assert objections(tuning()) == []


@pytest.mark.parametrize(
    ("fields", "objection"),
    [
        ({"rows": [row(new=99)]}, "The table saves 1.0 MiB in spans, not more than one step"),
        ({"rows": [row(new=101)]}, "The table saves 0 B in spans, not more than one step"),
        ({"rows": [row(now=1000, new=996)]}, "The mean gain in spans is below 0.5%."),
        (
            {"rows": [row(footprint=111)]},
            "The peak footprint of mine rises from 110.0 MiB to 111.0 MiB.",
        ),
        (
            {"held_back": [row(footprint=111, name="other")]},
            "The peak footprint of other rises from 110.0 MiB to 111.0 MiB.",
        ),
        ({"held_back": [row(new=102, name="other")]}, "other (held back) grows by 2.0% in spans."),
        (
            {"held_back": [], "left_out": [row(new=103, name="one")]},
            "one (left out) grows by 3.0% in spans.",
        ),
        ({"held_back": []}, "The table was not tested on another workload"),
    ],
)
def test_each_objection_is_a_sentence(fields: dict[str, Any], objection: str) -> None:
    found = objections(tuning(**fields))
    assert len(found) == 1
    assert found[0].startswith(objection)


def test_current_table_is_never_recommended() -> None:
    own = tuning().question.own_table
    assert objections(tuning(table=own)) == [
        "No table was found that takes fewer bytes in spans than the current one."
    ]


def test_table_is_always_for_this_program() -> None:
    assert remarks(tuning())[0].startswith("The table suits this program")


def test_an_optimum_is_described_as_one_of_f() -> None:
    assert "plus 0.5 x the bytes of a span for each class in use" in remarks(tuning())[1]


@pytest.mark.parametrize(
    ("charge", "interrupted", "sentence"),
    [
        (None, False, "found by search (7 replays in 12 s, seed 3); it may not be optimal"),
        (None, True, "found by search (7 replays in 12 s, seed 3; interrupted)"),
        (0.5, False, "The search found no better table (7 replays in 12 s, seed 3)"),
    ],
)
def test_a_search_is_never_called_an_optimum(
    charge: float | None, interrupted: bool, sentence: str
) -> None:
    best = replace(tuning().proposals[0], charge=charge)
    said = remarks(tuning(charge=charge, search=Search(best, 7, 12.3, 3, interrupted)))
    assert sentence in said[-1]


def test_small_heaps_are_named() -> None:
    small = replace(row(), peak_live=1 << 20)
    assert remarks(tuning(rows=[small]))[-1].startswith("Peak live is below 2 MiB in mine; ")
