"""The functions of the package with values of types that they do not accept."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import allocsim
from allocsim.errors import AllocsimError, InputError

JOB = {"kind": "random", "ops": 90, "slots": 20}


class Broken:
    """An object whose repr fails."""

    def __repr__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    "value",
    [10**5000, Broken(), np.array([]), np.array([1, 2]), {"a": Broken()}],
    ids=["huge", "broken", "empty", "array", "dict"],
)
def test_value_of_any_type_is_an_input_error_of_one_line(value: Any) -> None:
    keys = ("design", "seed", "threads", "touch", "limit", "every", "reserve", "colour")
    calls: list[Callable[[], object]] = [
        *(partial(allocsim.replay, JOB, **{key: value}) for key in keys),
        *(
            partial(allocsim.compare, JOB, "x", **{key: value})
            for key in ("runs", "touch", "limit")
        ),
        *(
            partial(allocsim.explain, JOB, "x", **{key: value})
            for key in ("at", "seconds", "what_if")
        ),
        *(
            partial(allocsim.tune, JOB, "tcmalloc", **{key: value})
            for key in ("seconds", "scale", "floor")
        ),
        partial(allocsim.open_trace, value),
        partial(allocsim.workload, JOB | {"ops": value}),
    ]
    for call in calls:
        with pytest.raises(AllocsimError) as error:
            call()
        assert len(str(error.value)) < 300


def test_key_of_a_job_that_is_no_utf_8_is_an_input_error() -> None:
    for key in ("ops", "slots", "size"):
        with pytest.raises(InputError):
            allocsim.workload(JOB | {key: "\udc80"})
