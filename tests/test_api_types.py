"""The types that the functions of the package accept, and the types that are errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any, cast

import numpy as np
import pytest

import allocsim
from allocsim.errors import AllocsimError, InputError
from allocsim.heap.arguments import checked_budget, checked_seconds

JOB = {"kind": "random", "ops": 90, "slots": 20}


class Broken:
    """An object whose repr fails."""

    def __repr__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    "value",
    [10**5000, Broken(), np.array([]), np.array([1, 2]), np.zeros((3, 3)), {"a": Broken()}],
    ids=["huge", "broken", "empty", "array", "matrix", "dict"],
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
        assert "\n" not in str(error.value)


def test_time_is_a_number_of_python_or_numpy_but_no_bool() -> None:
    times: list[Callable[..., Any]] = [
        partial(checked_budget, "tune", "seconds"),
        partial(checked_seconds, "compare", "timeout"),
    ]
    unusable: list[object] = [True, False, np.True_, "2", None, 2j, math.nan, 10**400]
    unusable += [np.float32("nan"), np.timedelta64(2), np.timedelta64("NaT"), np.datetime64("NaT")]
    for time in times:
        for value in (2, 2.0, np.float16(2), np.float32(2), np.int64(2), Fraction(2)):
            assert repr(time(value)) == "2.0"
        for wrong in unusable:
            with pytest.raises(InputError, match=r"seconds$"):
                time(wrong)
    assert checked_budget("tune", "seconds", np.float64(0)) == 0


def test_key_of_a_job_that_is_no_utf_8_is_an_input_error() -> None:
    for key in ("ops", "slots", "size"):
        with pytest.raises(InputError):
            allocsim.workload(JOB | {key: "\udc80"})


def test_flag_is_true_or_false() -> None:
    calls: list[Callable[..., object]] = [
        partial(allocsim.replay, JOB),
        partial(allocsim.compare, JOB, "x"),
        partial(allocsim.explain, JOB, "x"),
    ]
    flags = [("verify",), ("times", "keep_settings"), ("stacks", "keep_settings")]
    for call, names in zip(calls, flags, strict=True):
        for name in names:
            for value in ("no", 0, None, np.array([True])):
                with pytest.raises(InputError, match=f"{name} is .*; expected True or False"):
                    call(**{name: value})


def test_flag_may_be_one_of_numpy() -> None:
    yes: Any = np.True_
    assert allocsim.replay(JOB, verify=yes).events > 0


def test_unknown_name_of_any_length_is_cut() -> None:
    name: Any = "x y/" * 25_000
    calls: list[Callable[[], object]] = [
        partial(allocsim.replay, JOB, name),
        lambda: allocsim.replay(JOB, **cast("dict[str, Any]", {name: 1})),
        partial(allocsim.workload, {"kind": name}),
        partial(allocsim.workload, name),
        partial(allocsim.open_trace, name),
        partial(allocsim.open_trace, "sqlite-orders", format=name),
        partial(allocsim.compare, JOB, name),
        partial(allocsim.compare, JOB, f"lib:{name}"),
        partial(allocsim.compare, JOB, f"lib:jemalloc:{name}=1"),
        partial(allocsim.compare, JOB, "go", sort=name),
        partial(allocsim.compare, JOB, "go", reference=name),
        partial(allocsim.explain, JOB, "go", at=name),
        partial(allocsim.explain, JOB, "go", by=name),
        partial(allocsim.explain, JOB, name),
        partial(allocsim.tune, JOB, name),
    ]
    for call in calls:
        with pytest.raises(AllocsimError) as error:
            call()
        assert len(str(error.value)) < 5000
