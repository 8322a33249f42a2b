"""Kernels and operations: the type of the heap selects the kernel."""

from typing import NamedTuple

import numpy as np
import pytest
from numba import types

from allocsim.core import operations
from allocsim.core.jit import PURE, answers, kernel, operation, plain


class Adding(NamedTuple):
    """The state of a toy design that adds."""

    numbers: np.ndarray


class Multiplying(NamedTuple):
    """The state of a toy design that multiplies, with the same fields."""

    numbers: np.ndarray


class Unanswered(NamedTuple):
    """The state of a design without a kernel."""

    numbers: np.ndarray


@operation
def weigh(heap: object, amount: int) -> int:
    """Return the weight of an amount."""
    raise NotImplementedError


@answers(weigh, Adding)
@kernel
def weigh_by_adding(heap: Adding, amount: int) -> int:
    """Return the first number plus the amount."""
    return heap.numbers[0] + amount


@answers(weigh, Multiplying)
@kernel
def weigh_by_multiplying(heap: Multiplying, amount: int) -> int:
    """Return the amount times the first number."""
    return heap.numbers[0] * amount


@kernel
def weigh_twice(heap: object, amount: int) -> int:
    """Call the operation twice, for a heap of any design."""
    return weigh(heap, weigh(heap, amount))


@kernel
def quotient(dividend: int, divisor: int) -> int:
    """Return the quotient, rounded down."""
    return dividend // divisor


def numbers(first: int) -> np.ndarray:
    """Return an array that begins with `first`."""
    return np.array([first, 0], np.int64)


@pytest.mark.parametrize(("state", "weight"), [(Adding, 15), (Multiplying, 50)])
def test_type_of_the_heap_chooses_the_kernel(state: type, weight: int) -> None:
    assert weigh(state(numbers(5)), 10) == weight


@pytest.mark.parametrize(("state", "weight"), [(Adding, 20), (Multiplying, 250)])
def test_kernel_that_calls_an_operation_works_for_every_design(state: type, weight: int) -> None:
    assert weigh_twice(state(numbers(5)), 10) == weight


def test_design_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(Exception, match="Unanswered"):
        weigh_twice(Unanswered(numbers(5)), 10)


def test_operation_keeps_its_name_and_docstring() -> None:
    assert (weigh.__name__, weigh.__doc__) == ("weigh", "Return the weight of an amount.")


def test_kernel_is_compiled_unless_the_mode_is_pure() -> None:
    assert hasattr(weigh_by_adding, "py_func") != PURE


def test_kernel_runs_as_plain_python_too() -> None:
    assert plain(quotient)(7, 2) == quotient(7, 2) == 3
    assert not hasattr(plain(quotient), "py_func")


@pytest.mark.skipif(PURE, reason="nothing is compiled")
def test_constant_argument_does_not_compile_a_kernel_again() -> None:
    called = quotient.called  # type: ignore[attr-defined]
    for constant in (2, 3):
        called.get_call_template((types.int64, types.literal(constant)), {})
    assert len(called.overloads) == 1


def test_kernel_writes_to_the_state_that_it_was_given() -> None:
    state = Adding(numbers(3))
    store_second(state, 9)
    assert state.numbers.tolist() == [3, 9]


@kernel
def store_second(heap: Adding, value: int) -> None:
    """Set the second number."""
    heap.numbers[1] = value


def test_every_operation_of_a_design_has_its_own_name() -> None:
    calls = [call for call in vars(operations).values() if getattr(call, "__name__", "") == "call"]
    assert calls == [], "an operation lost its name"
