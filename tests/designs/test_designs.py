"""Designs by name, and their parameters."""

import tomllib
from dataclasses import replace
from typing import Any

import pytest

from allocsim.designs import DEFAULT, SUMMARIES, Design, Parameter, find_design
from allocsim.errors import InputError, UnknownName
from tests.conftest import REPOSITORY


@pytest.fixture
def tunable() -> Design:
    """A design with two parameters."""
    return replace(
        find_design(DEFAULT),
        parameters={"objects": Parameter(100, 1, 1000, ""), "slots": Parameter(0, -5, 5, "")},
    )


@pytest.mark.parametrize("name", SUMMARIES)
def test_every_design_is_found_by_its_name(name: str) -> None:
    assert find_design(name).name == name


def test_contract_keeps_every_bundled_design_independent() -> None:
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]
    independent = [each for each in contracts["contracts"] if each["type"] == "independence"]
    assert independent[0]["modules"] == [f"allocsim.designs.{name}" for name in SUMMARIES]


def test_unknown_design_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"unknown design 'go2009' \(did you mean 'go2008'"):
        find_design("go2009")


def test_parameters_have_defaults(tunable: Design) -> None:
    assert tunable.checked({}) == {"objects": 100, "slots": 0}


@pytest.mark.parametrize("value", [1, 1000])
def test_setting_replaces_the_default(tunable: Design, value: int) -> None:
    assert tunable.checked({"objects": value}) == {"objects": value, "slots": 0}


@pytest.mark.parametrize(("text", "value"), [("1", 1), ("1e3", 1000), ("0.5K", 512), ("2^9", 512)])
def test_setting_is_read_from_text(tunable: Design, text: str, value: int) -> None:
    assert tunable.checked({"objects": text})["objects"] == value


@pytest.mark.parametrize("value", [0, 1001, -1, "0", "-1", "1e9", "yes", "", "x", 5.0, None])
def test_setting_out_of_range_is_an_input_error(tunable: Design, value: Any) -> None:
    with pytest.raises(InputError, match=r"objects=.*: expected 1 to 1,000"):
        tunable.checked({"objects": value})


def test_unknown_parameter_names_the_nearest(tunable: Design) -> None:
    with pytest.raises(UnknownName, match=r"parameter of the design go2008 'slot' \(did you mean"):
        tunable.checked({"slot": 1})
