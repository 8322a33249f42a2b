"""Parameters of designs from Python: values of types that a command line cannot give."""

import enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from allocsim.designs import SUMMARIES, find_design
from allocsim.errors import InputError


class Broken:
    """An object whose repr fails."""

    def __repr__(self) -> str:
        raise ValueError


class Eight(enum.IntEnum):
    """An integer whose type is not int."""

    EIGHT = 8


WRONG: tuple[Any, ...] = (
    *(None, 1.5, float("nan"), b"8", [[]], {}, {"a": 1}, {8.5}, object(), Broken(), Broken),
    *(np.array([0.5]), np.array([], float), np.float64(8), Fraction(8), 1j, Path("x"), ...),
    *(10**5000, -(10**5000), [10**5000]),
)

EACH = [(design, key) for design in SUMMARIES for key in find_design(design).parameters]


@pytest.mark.parametrize(("design", "key"), EACH)
def test_value_of_another_type_is_an_input_error(design: str, key: str) -> None:
    checked = find_design(design).checked
    for value in WRONG:
        with pytest.raises(InputError) as error:
            checked({key: value})
        assert len(str(error.value)) < 300


@pytest.mark.parametrize(("design", "key"), EACH)
def test_integer_of_another_type_is_an_int(design: str, key: str) -> None:
    """A value of another type would compile another kernel."""
    found = find_design(design)
    for value in (Eight.EIGHT, np.int64(8), True):
        try:
            number = found.checked({key: value})[key]
        except InputError:
            continue
        assert type(number) is int


def test_table_can_be_an_array() -> None:
    found = find_design("tcmalloc")
    sizes = found.require_class_rules().own(found.checked({}))
    assert found.checked({"size_classes": np.array(sizes)}) == found.checked(
        {"size_classes": sizes}
    )
