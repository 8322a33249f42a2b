"""The radix sort of addresses, compared with NumPy's sort."""

import numpy as np
import pytest

from allocsim.explanation.radix_sort import sort_by_address


@pytest.mark.parametrize("bits", [1, 11, 12, 30, 47])
def test_addresses_are_ascending_and_keep_their_values(bits: int) -> None:
    rng = np.random.default_rng(bits)
    address = rng.integers(0, 1 << bits, 1000) + (1 << 40)
    order = np.argsort(address, kind="stable")
    found, values = sort_by_address(address.copy(), np.arange(1000))
    assert found.tolist() == address[order].tolist()
    assert values.tolist() == order.tolist()


def test_no_addresses_and_one_address_stay_as_they_are() -> None:
    for address in ([], [5 << 30]):
        given = np.array(address, np.int64)
        found, values = sort_by_address(given.copy(), np.arange(len(address)))
        assert (found.tolist(), values.tolist()) == (address, [*range(len(address))])
