"""Loads and stores at real addresses access exactly the given bytes."""

import numpy as np
import pytest

from allocsim.core.memory import Reservation
from allocsim.core.raw import (
    LINE,
    WORD,
    clear_pages,
    clear_words,
    copy,
    fill,
    load_byte,
    load_word,
    store_word,
)
from tests.conftest import SCALE

LENGTH = 4096
START = 100
"""Offset in the page at which the tests write; words there are not aligned to 8 bytes."""


class Page:
    """A page of memory, each byte of which is known."""

    def __init__(self) -> None:
        self.memory = Reservation(LENGTH)
        self.address = self.memory.address + START
        self.expected = np.random.default_rng(0).integers(1, 256, LENGTH).astype(np.uint8)
        self.found[:] = self.expected

    @property
    def found(self) -> np.ndarray:
        return np.frombuffer(self.memory.view(self.memory.address, LENGTH), np.uint8)

    def expect(self, offset: int, content: bytes) -> None:
        """Require that exactly these bytes have changed."""
        first = START + offset
        self.expected[first : first + len(content)] = list(content)
        assert self.found.tobytes() == self.expected.tobytes()


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.mark.parametrize("word", [0, 1, -1, 2**63 - 1, -(2**63), 0x0123456789ABCDEF], ids=hex)
@pytest.mark.parametrize("offset", [0, 1, 4, 7])
def test_word_is_stored_low_byte_first_at_any_address(page: Page, word: int, offset: int) -> None:
    store_word(page.address + offset, word)
    page.expect(offset, word.to_bytes(8, "little", signed=True))
    assert load_word(page.address + offset) == word


def test_byte_is_loaded_without_a_sign(page: Page) -> None:
    loaded = [load_byte(page.address + offset) for offset in range(0, 3000, 3000 // (50 * SCALE))]
    expected = page.expected[START : START + 3000 : 3000 // (50 * SCALE)].tolist()
    assert loaded == expected
    assert max(loaded) > 127


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 64, 65, 1000])
@pytest.mark.parametrize("value", [0, 0xBB, 255])
def test_fill_writes_its_bytes_and_no_other(page: Page, count: int, value: int) -> None:
    fill(page.address, count, value)
    page.expect(0, bytes([value]) * count)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 64, 65, 1000])
def test_copy_writes_its_bytes_and_no_other(page: Page, count: int) -> None:
    source = page.expected[START + 1001 : START + 1001 + count].tobytes()
    copy(page.address, page.address + 1001, count)
    page.expect(0, source)


@pytest.mark.parametrize("count", range(9))
def test_clear_words_clears_as_many_words(page: Page, count: int) -> None:
    clear_words(page.address, count)
    page.expect(0, bytes(WORD * count))


@pytest.mark.parametrize("lines", [0, 1, 2, 31])
def test_clear_pages_clears_whole_cache_lines_and_no_other(page: Page, lines: int) -> None:
    clear_pages(page.address - START + LINE, lines * LINE)
    page.expect(LINE - START, bytes(lines * LINE))
