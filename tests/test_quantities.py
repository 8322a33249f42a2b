"""Sizes, counts, numbers and percentages as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocsim.errors import InputError
from allocsim.quantities import MAX_SIZE, Size, parse_float, parse_percent, parse_size

SIZES = {
    "0": 0,
    "65536": 65536,
    "5B": 5,
    "1k": 1024,
    "1K": 1024,
    "1KiB": 1024,
    "1kiB": 1024,
    "1Ki": 1024,
    "1kB": 1000,
    "1KB": 1000,
    "64KiB": 65536,
    "64K": 65536,
    "64kB": 64000,
    "1M": 1 << 20,
    "1MiB": 1 << 20,
    "1MB": 10**6,
    "1GiB": 1 << 30,
    "1GB": 10**9,
    "1TiB": 1 << 40,
    "1TB": 10**12,
    "128TiB": MAX_SIZE,
    "140737488355328": MAX_SIZE,
    "1.5KiB": 1536,
    "1.5kB": 1500,
    "0.5": 0,
    "0.1KiB": 102,
    "2.999": 2,
    "1_000_000": 10**6,
    " 12 KiB ": 12288,
    "007": 7,
}


@pytest.mark.parametrize(("text", "size"), SIZES.items(), ids=SIZES)
def test_text_means_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


NO_SIZES = (
    "", " ", "_", "KiB", "B", "-1", "+1", "1e3", "0x10", "1.", ".5", "1..5", "1,5", "1KiBB",
    "1KK", "1 K B", "1PiB", "1b", "1m", "1gib", "one", "64 bytes", "nan", "inf", "1\n2", "²", "٣",
)  # fmt: skip


@pytest.mark.parametrize("text", NO_SIZES, ids=repr)
def test_invalid_size_is_an_error_with_an_example(text: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse_size(text)
    assert f"invalid size '{text}'; expected bytes, as in 65536, 64KiB, 64K or 64kB" in str(
        refusal.value
    )


@pytest.mark.parametrize(
    "text",
    ["140737488355329", "128.001TiB", "129TiB", "1000TB", "9" * 4000, "9" * 5000, "1" * 5000 + "K"],
    ids=["a byte", "a bit", "TiB", "TB", "4000 digits", "5000 digits", "5000 digits and a unit"],
)
def test_size_beyond_the_address_space_is_an_error(text: str) -> None:
    with pytest.raises(InputError):
        parse_size(text)


def test_size_too_large_names_the_maximum() -> None:
    with pytest.raises(InputError, match="'129TiB' is too large; expected at most 128TiB"):
        parse_size("129TiB")


def test_fraction_of_many_digits_is_read_or_an_error() -> None:
    try:
        assert parse_size("1." + "5" * 5000 + "K") == 1592
    except InputError as refusal:
        assert "invalid size" in str(refusal) or "digits" in str(refusal)  # noqa: PT017


@given(st.integers(0, MAX_SIZE))
def test_plain_bytes_are_themselves(size: int) -> None:
    assert parse_size(str(size)) == parse_size(f"{size:_}") == size


@given(st.integers(0, 127), st.integers(1, 4))
def test_units_are_powers(count: int, power: int) -> None:
    letter = "KMGT"[power - 1]
    assert parse_size(f"{count}{letter}iB") == parse_size(f"{count}{letter}") == count << 10 * power
    assert parse_size(f"{count}{letter}B") == count * 1000**power


@given(st.integers(0, 10**9), st.integers(0, 999))
def test_fractions_are_exact(whole: int, thousandths: int) -> None:
    assert parse_size(f"{whole}.{thousandths:03}kB") == whole * 1000 + thousandths


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_an_error(text: str) -> None:
    try:
        assert 0 <= parse_size(text) <= MAX_SIZE
    except InputError as refusal:
        assert text in str(refusal)  # noqa: PT017


def test_size_is_a_number() -> None:
    assert Size(5) + 1 == 6
    assert isinstance(Size(5), int)


@pytest.mark.parametrize(
    ("text", "share"), [("25%", 0.25), ("0%", 0.0), ("100%", 1.0), (" 3.5 % ", 0.035)]
)
def test_percentage(text: str, share: float) -> None:
    assert parse_percent(text, 100) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "%", "25", "0.25", "-1%", "1e2%", "nan%", "1 %%", "٣%"])
def test_invalid_percentage_is_an_error(text: str) -> None:
    with pytest.raises(InputError, match=r"invalid percentage .*; expected a number with %"):
        parse_percent(text, 100)


def test_percentage_has_a_maximum() -> None:
    assert parse_percent("150%", 200) == 1.5
    with pytest.raises(InputError, match="'150%' is too large; expected at most 100%"):
        parse_percent("150%", 100)


@pytest.mark.parametrize(
    ("text", "number"),
    [("5", 5.0), ("0.5", 0.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("-1", -1.0)],
)
def test_text_means_a_number(text: str, number: float) -> None:
    assert parse_float(text) == number


@pytest.mark.parametrize("text", ["", " 5", "1_0", "٣", "nan", "inf", "1e", ".", "0x1", "9" * 5000])
def test_other_texts_are_no_numbers(text: str) -> None:
    assert parse_float(text) is None
