"""Kernels and operations: which kernel answers is decided by the type of the heap."""

from typing import NamedTuple

import numpy as np
import pytest
from numba import types

from allocsim.core import operations
from allocsim.core.jit import PURE, answers, kernel, operation


class Left(NamedTuple):
    """The state of one toy design."""

    numbers: np.ndarray


class Right(NamedTuple):
    """The state of another, of the same fields."""

    numbers: np.ndarray


class Nobody(NamedTuple):
    """The state of a design that answers nothing."""

    numbers: np.ndarray


@operation
def weigh(heap: object, amount: int) -> int:
    """What an amount weighs."""
    raise NotImplementedError


@answers(weigh, Left)
@kernel
def weigh_left(heap: Left, amount: int) -> int:
    """The first number and the amount."""
    return heap.numbers[0] + amount


@answers(weigh, Right)
@kernel
def weigh_right(heap: Right, amount: int) -> int:
    """The amount times the first number."""
    return heap.numbers[0] * amount


@kernel
def weigh_twice(heap: object, amount: int) -> int:
    """A caller that knows no design."""
    return weigh(heap, weigh(heap, amount))


@kernel
def quotient(dividend: int, divisor: int) -> int:
    """A whole quotient."""
    return dividend // divisor


def numbers(first: int) -> np.ndarray:
    """An array that begins with a number."""
    return np.array([first, 0], np.int64)


@pytest.mark.parametrize(("state", "weight"), [(Left, 15), (Right, 50)])
def test_type_of_the_heap_chooses_the_kernel(state: type, weight: int) -> None:
    assert weigh(state(numbers(5)), 10) == weight


@pytest.mark.parametrize(("state", "weight"), [(Left, 20), (Right, 250)])
def test_kernel_that_calls_an_operation_serves_every_design(state: type, weight: int) -> None:
    assert weigh_twice(state(numbers(5)), 10) == weight


def test_design_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(Exception, match="Nobody"):
        weigh_twice(Nobody(numbers(5)), 10)


def test_operation_keeps_its_name_and_its_words() -> None:
    assert (weigh.__name__, weigh.__doc__) == ("weigh", "What an amount weighs.")


def test_kernel_is_compiled_unless_the_mode_is_pure() -> None:
    assert hasattr(weigh_left, "py_func") != PURE


def test_kernel_runs_as_plain_python_too() -> None:
    plain = getattr(quotient, "py_func", quotient)
    assert plain(7, 2) == quotient(7, 2) == 3


@pytest.mark.skipif(PURE, reason="nothing is compiled")
def test_constant_argument_does_not_compile_a_kernel_again() -> None:
    called = quotient.called  # type: ignore[attr-defined]
    for constant in (2, 3):
        called.get_call_template((types.int64, types.literal(constant)), {})
    assert len(called.overloads) == 1


def test_kernel_writes_to_the_state_that_it_was_given() -> None:
    state = Left(numbers(3))
    store_second(state, 9)
    assert state.numbers.tolist() == [3, 9]


@kernel
def store_second(heap: Left, value: int) -> None:
    """Write the second number."""
    heap.numbers[1] = value


def test_every_operation_of_a_design_says_what_it_is() -> None:
    found = [call for call in vars(operations).values() if getattr(call, "__name__", "") == "call"]
    assert found == [], "an operation lost its name"
