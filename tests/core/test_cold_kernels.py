"""Cold kernels: compiled with their callers, as functions that LLVM does not inline."""

import re

import numba
import numpy as np
import pytest

from allocsim.core.inlined_kernels import LinkedCompiler
from allocsim.core.jit import OPTIONS, PURE, cold, kernel


@cold
def add_square(numbers: np.ndarray, number: int) -> None:
    """Add the square of a number to the first of `numbers`."""
    numbers[0] += number * number


@cold
def add_squares(numbers: np.ndarray, first: int, second: int) -> int:
    """Add two squares by calling another cold kernel; return the new sum."""
    add_square(numbers, first)
    add_square(numbers, second)
    return int(numbers[0])


@kernel
def call_twice(numbers: np.ndarray, first: int) -> int:
    """Call a cold kernel in two places."""
    return add_squares(numbers, first, 2) - add_squares(numbers, 3, 4)


def test_caller_sees_what_a_cold_kernel_returns_and_writes() -> None:
    numbers = np.array([100])
    assert call_twice(numbers, 5) == -25
    assert numbers.tolist() == [100 + 25 + 4 + 9 + 16]


def test_cold_kernel_is_callable_from_python() -> None:
    assert add_squares(np.array([1]), 2, 3) == 14


@pytest.mark.skipif(PURE, reason="nothing is compiled in pure mode")
def test_code_of_a_cold_kernel_exists_once_and_is_private_to_its_caller() -> None:
    caller = numba.njit(**OPTIONS, pipeline_class=LinkedCompiler)(
        call_twice.py_func  # type: ignore[attr-defined]
    )
    caller(np.array([0]), 1)
    (compiled,) = caller.overloads.values()
    code = compiled.library.get_llvm_str()
    for name in ("add_square", "add_squares"):
        mangled = rf"@[^ (]*{len(name)}{name}B[^(]*\("
        assert len(re.findall("define internal .*" + mangled, code)) == 1
        assert len(re.findall("call .*" + mangled, code)) == 2
