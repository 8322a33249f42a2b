"""Reservations: address space that costs nothing until it is touched, and never moves."""

import gc
import mmap
from pathlib import Path

import numpy as np
import pytest

from allocsim.core.memory import OS_PAGE, Reservation, table
from allocsim.designs.go2008.records import Span
from allocsim.errors import AddressSpaceError, PlatformError

SHORT = 16 * OS_PAGE
"""A length below that of a huge page, so that resident pages can be counted one by one."""


def is_mapped(address: int) -> bool:
    """Whether the process has a mapping at `address`."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        first, end = (int(part, 16) for part in line.split()[0].split("-"))
        if first <= address < end:
            return True
    return False


@pytest.mark.parametrize(
    ("length", "rounded"), [(1, OS_PAGE), (OS_PAGE, OS_PAGE), (OS_PAGE + 1, 2 * OS_PAGE)]
)
def test_reservation_is_rounded_up_to_pages(length: int, rounded: int) -> None:
    assert Reservation(length).length == rounded


def test_reservation_begins_on_a_page_and_is_all_zeros() -> None:
    reservation = Reservation(SHORT)
    assert reservation.address % OS_PAGE == 0
    assert bytes(reservation.view(reservation.address, SHORT)) == bytes(SHORT)


def test_untouched_pages_are_not_resident() -> None:
    assert Reservation(1 << 40).resident(1 << 30) == 0


@pytest.mark.parametrize("pages", [[0], [3], [0, 1, 7], [15], list(range(16))], ids=str)
def test_touched_pages_are_resident(pages: list[int]) -> None:
    reservation = Reservation(SHORT)
    for page in pages:
        reservation.view(reservation.address + page * OS_PAGE, 1)[0] = 1
    assert reservation.resident(SHORT) == len(pages) * OS_PAGE


def test_resident_pages_are_counted_from_an_address_on() -> None:
    reservation = Reservation(SHORT)
    for page in (0, 5, 9):
        reservation.view(reservation.address + page * OS_PAGE, 1)[0] = 1
    later = reservation.address + 5 * OS_PAGE
    assert reservation.resident(4 * OS_PAGE, later) == OS_PAGE
    assert reservation.resident(5 * OS_PAGE, later) == 2 * OS_PAGE


def test_resident_counts_only_the_given_length() -> None:
    reservation = Reservation(SHORT)
    reservation.view(reservation.address, SHORT)[:] = bytes([1]) * SHORT
    counted = [reservation.resident(length) for length in (0, 1, OS_PAGE, OS_PAGE + 1)]
    assert counted == [0, OS_PAGE, OS_PAGE, 2 * OS_PAGE]


def test_resident_of_what_is_not_mapped_is_a_platform_error() -> None:
    reservation = Reservation(SHORT)
    reservation.close()
    with pytest.raises(PlatformError, match="resident"):
        reservation.resident(SHORT)


def test_view_is_the_memory_itself() -> None:
    reservation = Reservation(SHORT)
    reservation.view(reservation.address + 8, 4)[:] = b"abcd"
    assert bytes(reservation.view(reservation.address + 6, 8)) == b"\0\0abcd\0\0"


@pytest.mark.parametrize(
    ("offset", "length"),
    [(-1, 1), (SHORT, 1), (0, SHORT + 1), (SHORT - 1, 2), (4, -1), (1 << 62, 1 << 62)],
)
def test_view_outside_is_a_value_error(offset: int, length: int) -> None:
    reservation = Reservation(SHORT)
    with pytest.raises(ValueError, match="outside the reservation"):
        reservation.view(reservation.address + offset, length)


def test_empty_view_at_the_end_is_allowed() -> None:
    reservation = Reservation(SHORT)
    assert len(reservation.view(reservation.address + SHORT, 0)) == 0


@pytest.mark.parametrize("length", [1 << 62, 1 << 70, 0, -1], ids=["2^62", "2^70", "0", "-1"])
def test_length_that_the_system_refuses_is_an_address_space_error(length: int) -> None:
    with pytest.raises(AddressSpaceError, match="cannot reserve"):
        Reservation(length)


@pytest.mark.parametrize(("owner", "name"), [(mmap, "MAP_ANONYMOUS"), (mmap, "mmap")])
def test_system_without_such_a_mapping_is_a_platform_error(
    owner: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "mmap":
        monkeypatch.setattr(owner, name, object)
    else:
        monkeypatch.delattr(owner, name)
    with pytest.raises(PlatformError, match="Linux"):
        Reservation(OS_PAGE)


def test_table_of_records_is_all_zeros_with_its_fields_as_attributes() -> None:
    spans = table(Span, 100)
    spans[99].pages = 7
    assert (spans.shape, spans[99].pages, spans[98].pages) == ((100,), 7, 0)
    assert not spans[:99].view(np.uint8).any()


def test_table_of_numbers_has_the_given_shape() -> None:
    numbers = table(np.int64, 3, 5)
    numbers[2, 4] = 1
    assert (numbers.shape, numbers.sum()) == ((3, 5), 1)


def test_successive_tables_start_at_different_cache_lines() -> None:
    tables = [table(np.int64, 1) for _ in range(OS_PAGE // 64)]
    starts = {each.ctypes.data % OS_PAGE for each in tables}
    assert starts == set(range(0, OS_PAGE, 64))


def test_table_lives_as_long_as_it_is_used() -> None:
    numbers = table(np.int64, 4)
    gc.collect()
    numbers[:] = 5
    assert numbers.sum() == 20


def test_closed_reservation_is_unmapped() -> None:
    reservation = Reservation(SHORT)
    assert is_mapped(reservation.address)
    reservation.close()
    assert not is_mapped(reservation.address)


def test_view_outlives_close() -> None:
    reservation = Reservation(SHORT)
    view = reservation.view(reservation.address, 3)
    view[:] = b"abc"
    reservation.close()
    assert bytes(view) == b"abc"


def test_closed_reservation_is_unmapped_when_its_last_view_is_gone() -> None:
    reservation = Reservation(SHORT)
    view = reservation.view(reservation.address, 3)
    reservation.close()
    del view
    gc.collect()
    assert not is_mapped(reservation.address)
