"""Calls to C by address: one and two arguments of 64 bits."""

import ctypes

import pytest

from allocsim.libraries.state import call_with_one, call_with_two

C = ctypes.CDLL(None)


def address(name: str) -> int:
    found = ctypes.cast(getattr(C, name), ctypes.c_void_p).value
    assert found
    return found


@pytest.mark.parametrize("value", [0, 5, -5, (1 << 62) + 1, -(1 << 62) - 1])
def test_one_argument_of_64_bits_comes_and_goes(value: int) -> None:
    assert call_with_one(address("llabs"), value) == abs(value)


def test_two_arguments_come_in_order() -> None:
    text = ctypes.create_string_buffer(b"a needle")
    begin = ctypes.addressof(text)
    assert call_with_two(address("strchr"), begin, ord("n")) == begin + 2
    assert call_with_two(address("strchr"), begin, ord("x")) == 0
