"""Heap: for arguments that no heap can accept, the error is an InputError that names the call."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from allocsim import Heap
from allocsim.errors import AllocsimError, InputError, OutOfMemory

SIZES: dict[str, Callable[[Heap, Any], object]] = {
    "malloc": Heap.malloc,
    "calloc": lambda heap, size: heap.calloc(size, 8),
    "calloc ": lambda heap, size: heap.calloc(8, size),
    "memalign": lambda heap, size: heap.memalign(8, size),
    "realloc": lambda heap, size: heap.realloc(heap.malloc(8), size),
    "allocate_stack": Heap.allocate_stack,
    "release": Heap.release,
}
ADDRESSES: dict[str, Callable[[Heap, Any], object]] = {
    "free": Heap.free,
    "realloc": lambda heap, address: heap.realloc(address, 8),
    "usable_size": Heap.usable_size,
    "view": Heap.view,
    "free_stack": Heap.free_stack,
    "memalign": lambda heap, alignment: heap.memalign(alignment, 8),
}
NOT_INTEGERS: list[object] = [
    *(10.5, 8.0, float("nan"), float("inf"), 8j, Fraction(8), Decimal(8), "8", b"8", None),
    *(True, False, [8], {}, np.float64(8), np.float16(8), np.complex64(8), np.bool_(True)),
    *(np.timedelta64(8), np.datetime64(8, "s"), np.str_("8"), np.array([8]), np.ma.masked),
]


@pytest.mark.parametrize("value", NOT_INTEGERS, ids=repr)
@pytest.mark.parametrize("calls", [SIZES, ADDRESSES], ids=["size", "address"])
def test_argument_that_is_not_an_integer_is_an_input_error(
    any_heap: Heap, calls: dict[str, Callable[[Heap, Any], object]], value: object
) -> None:
    for name, call in calls.items():
        with pytest.raises(InputError, match=f"^{name.strip()}: .* expected an integer"):
            call(any_heap, value)
    assert any_heap.check() == []


@pytest.mark.parametrize("size", [-1, -(2**62), -(2**63), -(2**70), np.int64(-5)], ids=str)
@pytest.mark.parametrize("name", SIZES)
def test_negative_size_is_an_input_error(any_heap: Heap, name: str, size: int) -> None:
    with pytest.raises(InputError, match=f"^{name.strip()}: .* is -[0-9]+; expected 0 or more"):
        SIZES[name](any_heap, size)
    assert any_heap.check() == []


def test_release_of_more_than_any_heap_is_an_input_error(any_heap: Heap) -> None:
    with pytest.raises(InputError, match=r"release: length is 12.*; expected at most 2\*\*62 - 1"):
        any_heap.release(1 << 80)
    before = any_heap.profile().parts["free_spans"]
    assert 0 <= any_heap.release((1 << 62) - 1) <= before


def test_size_that_no_address_space_holds_is_out_of_memory(any_heap: Heap) -> None:
    with pytest.raises(OutOfMemory, match=r"malloc: size is 46.* bytes; no heap can hold more"):
        any_heap.malloc(1 << 62)


def test_long_value_is_shortened_in_the_message(heap: Heap) -> None:
    with pytest.raises(InputError, match=r"malloc: size is '0{39}\.\.\. \(str\); expected"):
        heap.malloc("0" * 1000)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", "bBhHiIlLqQ")
def test_integers_of_numpy_are_integers(any_heap: Heap, kind: str) -> None:
    address = any_heap.malloc(np.dtype(kind).type(100))
    any_heap.free(np.uint64(address))  # type: ignore[arg-type]
    assert (type(address), any_heap.live) == (int, 0)


@pytest.mark.parametrize("reserve", [1.5e9, "1GiB", None, True], ids=repr)
def test_reservation_that_is_not_an_integer_is_an_input_error(reserve: Any) -> None:
    with pytest.raises(InputError, match=r"^Heap: reserve is .* expected an integer"):
        Heap(reserve=reserve)


class Broken:
    """An object whose repr fails."""

    def __repr__(self) -> str:
        raise ValueError


@pytest.mark.parametrize("calls", [SIZES, ADDRESSES], ids=["size", "address"])
@pytest.mark.parametrize(
    "value",
    [10**5000, -(10**5000), [10**5000], Broken()],
    ids=["huge", "negative", "list", "broken"],
)
def test_value_that_has_no_text_is_an_error_of_one_line(
    heap: Heap, calls: dict[str, Callable[[Heap, Any], object]], value: object
) -> None:
    """Python refuses to write an integer of 5,001 digits."""
    for call in calls.values():
        with pytest.raises(AllocsimError) as error:
            call(heap, value)
        assert len(str(error.value)) < 200
