"""Fields at an address are read and written at their offset only, from Python and from kernels."""

import numpy as np
import pytest

from allocsim.core.jit import kernel
from allocsim.core.word_fields import getter, setter

second, set_second = getter(8), setter(8)
flags = getter(8, 7)


@kernel
def read(address: int) -> tuple[int, int]:
    """Return both fields at `address`."""
    return second(address), flags(address)


@kernel
def write(address: int, value: int) -> None:
    """Set the field at `address`."""
    set_second(address, value)


@kernel
def read_by_name(address: int) -> int:
    """Pass the argument as a keyword, which is an error."""
    return second(address=address)  # type: ignore[call-arg]


@pytest.mark.parametrize("value", [0, 5, -1, -(1 << 63), (1 << 63) - 1])
def test_field_is_read_as_it_was_written(value: int) -> None:
    for put, get in ((set_second, second), (write, lambda address: read(address)[0])):
        words = np.full(3, 77)
        put(words.ctypes.data, value)
        assert words.tolist() == [77, value, 77]
        assert get(words.ctypes.data) == value


@pytest.mark.parametrize("value", [0, 13, -1, -8])
def test_mask_selects_bits_of_the_field(value: int) -> None:
    words = np.array([77, value])
    assert flags(words.ctypes.data) == read(words.ctypes.data)[1] == value & 7


def test_word_may_lie_at_any_address() -> None:
    octets = np.zeros(24, np.uint8)
    write(octets.ctypes.data + 3, -2)
    assert octets.tolist() == [0] * 11 + [254] + [255] * 7 + [0] * 5
    assert read(octets.ctypes.data + 3) == (-2, 6)


def test_keyword_argument_is_an_error_in_python_and_in_a_kernel() -> None:
    words = np.array([77, 5])
    with pytest.raises(TypeError):
        second(address=words.ctypes.data)  # type: ignore[call-arg]
    with pytest.raises((TypeError, AssertionError)):  # an AssertionError of Numba, if compiled
        read_by_name(words.ctypes.data)
