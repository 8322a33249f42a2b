"""Branches of kernels: a condition is as in Python, or the kernel does not compile."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numba.core import ir
from numba.core.compiler import run_frontend
from numba.core.errors import TypingError

from allocsim.core.jit import kernel, plain
from allocsim.core.plain_conditions import PlainConditions


@kernel
def chosen(condition: Any) -> int:
    """Return 1 if the condition is true, else 0."""
    if condition:
        return 1
    return 0


@kernel
def count_down(number: int, last: int) -> int:
    """Return how often `number` can be decreased before it is 0 or below `last`."""
    steps = 0
    while number and not number < last:
        number -= 1
        steps += 1
    return steps


@kernel
def is_true(number: int) -> int:
    """Return 1 if the number is not 0, else 0; call `bool` for another purpose too."""
    result = bool(number)
    return 1 if result else 0


@kernel
def found(number: int) -> Any:
    """Return the number if it is positive, else None."""
    return number if number > 0 else None


@kernel
def is_found(number: int) -> int:
    """Return 1 if `found` returns a number other than 0."""
    return 1 if found(number) else 0


@kernel
def with_own_function(number: int) -> int:
    """Return `number` + 1, by a function that uses a variable of this one."""

    def plus(other: int) -> int:
        return other + number

    return plus(1)


@kernel
def is_given(number: int | None = None) -> bool:
    """Return bool(number)."""
    return bool(number)


CONDITIONS = [True, False, 0, -3, 1 << 40, 0.0, -0.5, math.nan, (), (0,), "", "0", None]


@pytest.mark.parametrize("condition", CONDITIONS, ids=repr)
def test_condition_is_as_in_python(condition: Any) -> None:
    assert chosen(condition) == bool(condition)


@pytest.mark.compiled
def test_condition_that_may_be_none_or_an_array_does_not_compile() -> None:
    with pytest.raises(TypingError, match=r"type of a condition is OptionalType\(int64\)"):
        is_found(1)
    with pytest.raises(TypingError, match="type of a condition is array"):
        chosen(np.zeros(2))


def test_kernel_may_have_a_function_and_call_bool_of_none() -> None:
    assert with_own_function(3) == 4
    assert [is_given(), is_given(0), is_given(2)] == [False, False, True]


def test_conditions_of_a_loop_are_as_in_python() -> None:
    assert [count_down(number, 2) for number in (0, 1, 2, 5)] == [0, 0, 1, 4]
    assert [is_true(number) for number in (0, 3)] == [0, 1]


@pytest.mark.parametrize(("function", "kept"), [(chosen, 0), (count_down, 0), (is_true, 1)])
def test_only_calls_of_bool_in_the_source_remain(function: Any, kept: int) -> None:
    tree = run_frontend(plain(function))
    branches = len(_all(tree, ir.Branch))
    assert PlainConditions().run_pass(SimpleNamespace(func_ir=tree))
    values = [each.value for each in _all(tree, ir.Assign)]
    assert sum(isinstance(each, ir.Global) and each.value is bool for each in values) == kept
    assert len(_all(tree, ir.Branch)) == branches > 0


def _all(tree: Any, kind: type) -> list[Any]:
    """Return the statements of a kind."""
    return [each for block in tree.blocks.values() for each in block.find_insts(kind)]
