"""Distributions of sizes: formulas, bounds, and the frequency of each size."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocsim.errors import InputError
from allocsim.generators import random_bits
from allocsim.generators.sizes import MAX_SIZE, Fixed, LogUniform, SizeLaw, Uniform
from allocsim.quantities import Size

WORDS = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50)
SIZES = st.integers(1, MAX_SIZE)


def bits(words: list[int]) -> np.ndarray:
    return np.array(words, np.uint64)


def log_uniform(maximum: int) -> LogUniform:
    return LogUniform(max=Size(maximum))


EDGES = bits([0, 2**64 - 1, 2**32 - 1, 2**32, 2**33, 2**64 - 2**32, 2**63, 1])


@given(WORDS)
def test_log_uniform_to_1_mib_is_the_formula_of_testrandom(words: list[int]) -> None:
    """rand31 >> (11 + k), with k from 0 to 19."""
    drawn = LogUniform().draw(bits(words)).tolist()
    assert drawn == [(word >> 33) >> (11 + ((word % 2**32) * 20 >> 32)) for word in words]


@given(WORDS, SIZES)
def test_log_uniform_stays_below_its_maximum(words: list[int], maximum: int) -> None:
    drawn = log_uniform(maximum).draw(np.concatenate([bits(words), EDGES]))
    assert drawn.min() >= 0
    assert drawn.max() < maximum


@given(WORDS, SIZES)
def test_log_uniform_is_exact_in_64_bits(words: list[int], maximum: int) -> None:
    doublings = max(maximum - 1, 1).bit_length()
    expected = [(w >> 33) * maximum >> (31 + ((w % 2**32) * doublings >> 32)) for w in words]
    assert log_uniform(maximum).draw(bits(words)).tolist() == expected


@pytest.mark.parametrize("maximum", [1, 2, 3, 1000, 1 << 20, MAX_SIZE])
def test_log_uniform_reaches_both_ends(maximum: int) -> None:
    largest = bits([(2**31 - 1) << 33])
    assert log_uniform(maximum).draw(largest).tolist() == [(2**31 - 1) * maximum >> 31]
    assert log_uniform(maximum).draw(bits([0])).tolist() == [0]


def test_doublings_below_the_highest_are_equally_likely() -> None:
    drawn = LogUniform().draw(random_bits(np.random.PCG64(1), 40_000))
    doublings = np.bincount(np.ceil(np.log2(drawn + 1)).astype(int), minlength=21)
    # Doubling n is the range of sizes from 2**(n - 1) to 2**n - 1. Of the sizes that are shifted
    # by the same number of bits, half are in the highest doubling that they can reach, a quarter in
    # the next lower one, and so on. Only the smallest shifts reach the highest doublings, so fewer
    # sizes are in these.
    assert all(1500 < count < 2500 for count in doublings[2:18])


@given(WORDS, st.integers(0, MAX_SIZE - 1), st.integers(0, MAX_SIZE - 1))
def test_uniform_stays_between_its_bounds(words: list[int], a: int, b: int) -> None:
    low, high = sorted((a, b))
    drawn = Uniform(min=Size(low), max=Size(high)).draw(np.concatenate([bits(words), EDGES]))
    assert low <= drawn.min() <= drawn.max() <= high


def test_uniform_reaches_both_ends() -> None:
    law = Uniform(min=Size(10), max=Size(13))
    assert set(law.draw(random_bits(np.random.PCG64(1), 100)).tolist()) == {10, 11, 12, 13}
    assert law.draw(EDGES[:2]).tolist() == [10, 13]
    whole = Uniform(min=Size(0), max=Size(MAX_SIZE - 1))
    assert whole.draw(EDGES[:2]).tolist() == [0, MAX_SIZE - 1]


def test_uniform_of_one_size_draws_it() -> None:
    assert set(Uniform(min=Size(7), max=Size(7)).draw(EDGES).tolist()) == {7}


@pytest.mark.parametrize("size", [0, 1, 96, 1 << 47])
def test_fixed_draws_its_size(size: int) -> None:
    drawn = Fixed(bytes=Size(size)).draw(EDGES)
    assert drawn.tolist() == [size] * len(EDGES)
    assert drawn.dtype == np.int64


@pytest.mark.parametrize("law", [LogUniform(), Uniform(), Fixed(bytes=Size(8))], ids=str)
def test_sizes_are_64_bit_integers(law: SizeLaw) -> None:
    assert law.draw(EDGES).dtype == np.int64
    assert len(law.draw(bits([]))) == 0


@pytest.mark.parametrize("maximum", [0, -1, MAX_SIZE + 1])
def test_log_uniform_with_a_bad_maximum_is_an_error(maximum: int) -> None:
    with pytest.raises(InputError, match=f"max = {maximum}: expected 1 to 4GiB"):
        log_uniform(maximum)


@pytest.mark.parametrize(("low", "high"), [(-1, 5), (6, 5), (0, MAX_SIZE), (MAX_SIZE, MAX_SIZE)])
def test_uniform_with_bad_bounds_is_an_error(low: int, high: int) -> None:
    expected = f"min = {low}, max = {high}: expected 0 <= min <= max < 4GiB"
    with pytest.raises(InputError, match=expected):
        Uniform(min=Size(low), max=Size(high))


def test_fixed_negative_size_is_an_error() -> None:
    with pytest.raises(InputError, match="bytes = -1: expected 0 or more"):
        Fixed(bytes=Size(-1))


@pytest.mark.parametrize(
    ("given_law", "law"),
    [
        ({"distribution": "log-uniform"}, LogUniform()),
        ({"distribution": "uniform"}, Uniform()),
        ({"distribution": "fixed", "bytes": 5}, Fixed(bytes=Size(5))),
    ],
    ids=["log-uniform", "uniform", "fixed"],
)
def test_distribution_selects_the_law(given_law: dict[str, object], law: SizeLaw) -> None:
    found = msgspec.convert(given_law, SizeLaw, dec_hook=lambda _, value: Size(value))
    assert found == law
