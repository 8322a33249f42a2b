"""Out-of-line kernels: a call through the address in `heap.code` behaves like a direct call."""

from typing import NamedTuple

import numpy as np
import pytest
from numba import typeof

from allocsim import Heap
from allocsim.core.heap_pointer import HeapPointer
from allocsim.core.jit import PURE, kernel
from allocsim.core.out_of_line import address_of, code_record, link, out_of_line, pointer_to


class Toy(NamedTuple):
    """The state of a toy design."""

    code: np.recarray
    numbers: np.ndarray


@out_of_line
def weighted_sum(heap: Toy, one: int, two: int, three: int) -> int:
    """Return a sum that changes with the heap's first number and the order of the arguments."""
    return one + 10 * two + 100 * three + heap.numbers[0]


@out_of_line
def twice_the_sum(heap: Toy, one: int) -> int:
    """Call another out-of-line kernel, and change the heap."""
    heap.numbers[1] += 1
    return weighted_sum(heap, one, one, one) + weighted_sum(heap, one, one, one)


@out_of_line
def no_arguments(heap: Toy) -> int:
    """A kernel whose only argument is the heap. The addition makes its result 64 bits wide."""
    return 0 + heap.numbers[0]


CODE = code_record(weighted_sum, twice_the_sum, no_arguments)


@kernel
def call_with_fields(heap: Toy, small: np.ndarray, place: int) -> int:
    """A caller that passes integers of other widths, as fields of records may have."""
    return weighted_sum(heap, small[place], np.uint8(2), place)  # type: ignore[arg-type]


@kernel
def call_nested(heap: Toy, one: int) -> int:
    """A caller of a kernel that calls another one."""
    return twice_the_sum(heap, one) + no_arguments(heap)


@kernel
def write_through_pointer(heap: Toy) -> int:
    """A caller that uses the heap only through its pointer."""
    state = pointer_to(heap)
    state.numbers[1] = 5
    return weighted_sum(state, 1, 2, 3)


class Plain(NamedTuple):
    """The state of a toy design without out-of-line kernels, with a table named `code`."""

    numbers: np.ndarray
    code: np.ndarray


@kernel
def write_plain(heap: Plain) -> int:
    """A caller with a heap that has no pointer."""
    pointer_to(heap).numbers[1] = 5
    return 0 + heap.numbers[0]


class Linked(NamedTuple):
    """The state of a toy design with an out-of-line kernel."""

    code: np.ndarray


@out_of_line
def raise_if_negative(heap: Linked, number: int) -> int:
    """Return a number; raise an exception, which kernels must not do, if it is negative."""
    if number < 0:
        raise ValueError("negative")
    return number


@kernel
def as_narrow(number: int) -> int:
    """Return a number in 32 bits."""
    return np.int32(number)  # type: ignore[return-value]


class Grid(NamedTuple):
    """The state of a toy design with a table of two dimensions. `code` is not its first field."""

    numbers: np.ndarray
    code: np.recarray
    cells: np.ndarray


@out_of_line
def cell(heap: Grid, row: int, column: int) -> int:
    """Return a cell, and check the lengths of the tables."""
    return heap.cells[row, column] if len(heap.cells) == len(heap.numbers) else -1


@kernel
def cell_twice(heap: Grid, row: int, column: int) -> int:
    """Return twice a cell, read by an out-of-line kernel."""
    return 2 * cell(heap, row, column)


GRID_CODE = code_record(cell)


@pytest.fixture
def toy() -> Toy:
    """Return a heap after `link`; the first number is 5000."""
    heap = Toy(np.zeros(1, CODE).view(np.recarray), np.array([5000, 0]))
    link(heap)
    return heap


def test_record_has_a_field_for_each_kernel_by_its_name(toy: Toy) -> None:
    assert toy.code.dtype.names == ("weighted_sum", "twice_the_sum", "no_arguments", "arrays")


def test_record_describes_the_arrays_of_the_heap(toy: Toy) -> None:
    words = [word for a in toy for word in (a.ctypes.data, *a.shape, *a.strides)]
    assert toy.code[0].arrays[:7].tolist() == ([0] * 7 if PURE else [*words, 0])


def test_heap_with_a_table_of_several_columns_is_read_by_its_address() -> None:
    grid = np.arange(12).reshape(3, 4)
    heap = Grid(np.arange(3), np.zeros(1, GRID_CODE).view(np.recarray), grid)
    link(heap)
    assert [cell_twice(heap, row, column) for row, column in ((0, 0), (2, 3), (1, -1))] == [
        0,
        2 * 11,
        2 * 7,
    ]


@pytest.mark.skipif(PURE, reason="no kernel has an address in pure mode")
def test_link_fills_the_record(toy: Toy) -> None:
    addresses = [int(toy.code[0][name]) for name in (CODE.names or ())[:-1]]
    assert all(addresses)
    assert len(set(addresses)) == 3


@pytest.mark.skipif(PURE, reason="no kernel has an address in pure mode")
def test_two_heaps_of_one_type_share_the_code(toy: Toy) -> None:
    other = Toy(np.zeros(1, CODE).view(np.recarray), np.array([1, 0]))
    link(other)
    assert other.code[0].tolist()[:-1] == toy.code[0].tolist()[:-1]


@pytest.mark.skipif(PURE, reason="no kernel has an address in pure mode")
def test_heap_with_numbers_of_another_width_has_code_of_its_own(toy: Toy) -> None:
    other = Toy(np.zeros(1, CODE).view(np.recarray), np.array([5000, 0], np.int32))
    link(other)
    assert call_nested(other, 7) == call_nested(toy, 7)
    assert not set(other.code[0].tolist()[:-1]) & set(toy.code[0].tolist()[:-1])


@pytest.mark.skipif(PURE, reason="no kernel has an address in pure mode")
def test_code_of_a_heap_is_filled_when_it_is_made(tcmalloc_heap: Heap) -> None:
    assert all(tcmalloc_heap.state.code[0].tolist()[:-1])


@pytest.mark.skipif(not PURE, reason="the record is filled in compiled mode")
def test_pure_heap_needs_no_code(toy: Toy) -> None:
    assert not any(toy.code.tobytes())


def test_kernel_is_callable_from_python(toy: Toy) -> None:
    assert weighted_sum(toy, 1, 2, -3) == 5000 + 21 - 300
    assert no_arguments(toy) == 5000
    assert twice_the_sum(toy, 7) == 2 * (777 + 5000)
    assert toy.numbers.tolist() == [5000, 1]


def test_kernel_of_a_heap_that_is_not_linked_is_callable_from_python() -> None:
    heap = Toy(np.zeros(1, CODE).view(np.recarray), np.array([7, 0]))
    assert weighted_sum(heap, 1, 2, 3) == 328


def test_calls_may_nest_and_change_the_heap(toy: Toy) -> None:
    assert call_nested(toy, 7) == 2 * (777 + 5000) + 5000
    assert toy.numbers[1] == 1


@pytest.mark.parametrize(
    "dtype", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32], ids=str
)
def test_integers_of_any_width_are_passed_as_they_are(toy: Toy, dtype: type) -> None:
    limits = np.iinfo(dtype)
    for value in (0, 1, limits.max // 2, limits.min // 2):
        small: np.ndarray = np.array([0, value], dtype)
        assert call_with_fields(toy, small, 1) == value + 20 + 100 + 5000


def test_pointer_to_a_heap_reads_and_writes_the_heap(toy: Toy) -> None:
    link(toy)
    assert write_through_pointer(toy) == 5321
    assert toy.numbers[1] == 5


@pytest.mark.skipif(PURE, reason="a heap has a Numba type in compiled mode")
def test_type_of_a_pointer_has_a_short_name_that_differs_for_each_type_of_heap(toy: Toy) -> None:
    heaps = toy, toy._replace(numbers=np.zeros(2, np.int32)), Plain(toy.numbers, toy.code)
    names = [HeapPointer(typeof(heap)).name for heap in (*heaps, toy)]
    assert names[0] == names[3]
    assert len(set(names)) == len(heaps)
    assert all(len(name) < 100 for name in names)


def test_heap_without_out_of_line_kernels_is_its_own_pointer() -> None:
    heap = Plain(np.array([7, 0]), np.array([1, 2]))
    assert write_plain(heap) == 7
    assert heap.numbers[1] == 5


def test_two_kernels_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two out-of-line kernels are called no_arguments"):

        @out_of_line
        def no_arguments(heap: Toy) -> int:
            """Another kernel of the same name."""
            return 0


def test_kernel_keeps_its_name_and_docstring() -> None:
    assert weighted_sum.__name__ == "weighted_sum"
    assert (weighted_sum.__doc__ or "").startswith("Return a sum that changes")


@pytest.mark.skipif(PURE, reason="Python's integers have no width")
def test_kernel_called_by_address_must_return_64_bits() -> None:
    with pytest.raises(TypeError, match=r"as_narrow returns int32; expected int64"):
        address_of(as_narrow, 1)


@kernel
def call_raising(heap: Linked, number: int) -> int:
    """A caller of an out-of-line kernel that raises if the number is negative."""
    return raise_if_negative(heap, number) + 1


def linked() -> Linked:
    """Return the state of the toy design, with the kernel's address."""
    state = Linked(np.zeros(1, code_record(raise_if_negative)).view(np.recarray))
    link(state)
    return state


def test_compiled_caller_raises_the_exception_of_an_out_of_line_kernel() -> None:
    state = linked()
    assert call_raising(state, 1) == 2
    with pytest.raises(ValueError, match="negative"):
        call_raising(state, -1)


@pytest.mark.skipif(PURE, reason="Python raises the exception itself")
def test_exception_of_an_out_of_line_kernel_is_not_lost() -> None:
    state = linked()
    assert raise_if_negative(state, 1 << 40) == 1 << 40
    with pytest.raises(RuntimeError, match="raised an exception"):
        raise_if_negative(state, -1)
