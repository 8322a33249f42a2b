"""Fill patterns: each fills its own object exactly, and any changed byte is found."""

import numpy as np
import pytest

from allocsim import Heap
from allocsim.fill_pattern import has_pattern, is_zero, pattern_word, write_pattern
from tests.conftest import PAGE, SCALE, contents

LENGTHS = [0, 1, 5, 7, 8, 9, 15, 16, 40, 41]
NUMBERS = [0, 1, 2, 255, 256, 65535, 2**24, 2**31 - 1]
AHEAD = 24
"""Number of bytes that a test checks before the object, and also after it."""

lengths = pytest.mark.parametrize("length", LENGTHS)


@pytest.fixture
def address(heap: Heap) -> int:
    """An address AHEAD bytes after the start of a heap; a page of zeros follows it."""
    return heap.memory.address + AHEAD


@pytest.mark.parametrize("number", NUMBERS)
def test_pattern_is_a_positive_word(number: int) -> None:
    assert 0 < pattern_word(number) < 2**63


@pytest.mark.parametrize("number", [np.uint32(0), np.uint32(5), np.uint32(2**31 - 1)], ids=str)
def test_id_in_an_event_gives_the_pattern_of_that_id(number: np.uint32) -> None:
    assert pattern_word(number) == pattern_word(int(number))  # type: ignore[arg-type]


def test_patterns_of_many_ids_are_different() -> None:
    numbers = [*range(1000 * SCALE), *range(2**31 - 1000 * SCALE, 2**31)]
    assert len({int(pattern_word(number)) for number in numbers}) == len(numbers)


def test_consecutive_ids_differ_in_each_of_the_four_low_bytes() -> None:
    words = np.array([pattern_word(number) for number in range(50 * SCALE)], np.int64)
    low = words.view(np.uint8).reshape(-1, 8)[:, :4]
    assert (low[1:] != low[:-1]).all()


@lengths
@pytest.mark.parametrize("number", NUMBERS)
def test_object_has_the_pattern_of_its_id(
    heap: Heap, address: int, length: int, number: int
) -> None:
    write_pattern(address, length, number)
    assert has_pattern(address, length, number)
    written = contents(heap, address, length)
    expected = (int(pattern_word(number)).to_bytes(8, "little") * 6)[:length]
    assert written.tobytes() == expected


@lengths
def test_pattern_writes_no_byte_outside_the_object(heap: Heap, address: int, length: int) -> None:
    around = contents(heap, address - AHEAD, length + 2 * AHEAD)
    around[:] = 0xEE
    write_pattern(address, length, 7)
    assert set(around[:AHEAD].tolist() + around[AHEAD + length :].tolist()) == {0xEE}


@pytest.mark.parametrize("length", LENGTHS[1:])
def test_any_changed_byte_breaks_a_pattern(heap: Heap, address: int, length: int) -> None:
    write_pattern(address, length, 7)
    written = contents(heap, address, length)
    for offset in range(length):
        written[offset] ^= 1
        assert not has_pattern(address, length, 7)
        written[offset] ^= 1
    assert has_pattern(address, length, 7)


@pytest.mark.parametrize("number", NUMBERS[1:])
def test_pattern_of_another_object_is_not_accepted(address: int, number: int) -> None:
    write_pattern(address, 16, number)
    assert not has_pattern(address, 16, number - 1)


@pytest.mark.parametrize("kept", range(42))
def test_first_bytes_of_an_object_have_its_pattern(address: int, kept: int) -> None:
    write_pattern(address, 41, 12345)
    assert has_pattern(address, kept, 12345)


@lengths
def test_fresh_memory_is_zero(address: int, length: int) -> None:
    assert is_zero(address, length)


@pytest.mark.parametrize("length", LENGTHS[1:])
def test_any_byte_that_is_not_zero_is_found(heap: Heap, address: int, length: int) -> None:
    for offset in range(length):
        contents(heap, address, length)[offset] = 0x80
        assert not is_zero(address, length)
        contents(heap, address, length)[offset] = 0


@lengths
def test_bytes_outside_the_object_do_not_count(heap: Heap, address: int, length: int) -> None:
    contents(heap, address - 1, 1)[:] = 1
    contents(heap, address + length, PAGE)[:] = 1
    assert is_zero(address, length)
