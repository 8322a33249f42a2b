"""Calls of C functions by address, with 64-bit arguments."""

import ctypes

import pytest

from allocsim.libraries.state import call_c

C = ctypes.CDLL(None)

FORMAT = ctypes.create_string_buffer(b"%ld %ld %ld %ld %ld")
FORMAT_ADDRESS = ctypes.addressof(FORMAT)


def address(name: str) -> int:
    found = ctypes.cast(getattr(C, name), ctypes.c_void_p).value
    assert found
    return found


@pytest.mark.parametrize("value", [0, 5, -5, (1 << 62) + 1, -(1 << 62) - 1])
def test_argument_and_result_have_64_bits(value: int) -> None:
    assert call_c(address("llabs"), (value,)) == abs(value)


def test_arguments_keep_their_order() -> None:
    text = ctypes.create_string_buffer(b"a needle")
    begin = ctypes.addressof(text)
    assert call_c(address("strchr"), (begin, ord("n"))) == begin + 2
    assert call_c(address("strchr"), (begin, ord("x"))) == 0


def test_more_arguments_than_registers_are_passed() -> None:
    text = ctypes.create_string_buffer(64)
    number = 1 << 40
    length = call_c(
        address("snprintf"),
        (ctypes.addressof(text), 64, FORMAT_ADDRESS, 1, 2, 3, 4, number),
    )
    assert text.value == b"1 2 3 4 1099511627776"
    assert length == len(text.value)
