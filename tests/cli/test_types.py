"""Types of option values: sizes, counts, percentages, shares, times, settings."""

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocsim.cli.types import (
    CountType,
    FloorType,
    PercentType,
    SecondsType,
    SettingType,
    ShareType,
    SizeType,
    TimeType,
)


@pytest.mark.parametrize(
    ("text", "size"), [("65536", 65536), ("64KiB", 65536), ("64K", 65536), ("64kB", 64000)]
)
def test_size(text: str, size: int) -> None:
    assert SizeType().convert(text, None, None) == size


def test_integer_is_a_size_already() -> None:
    assert SizeType().convert(5, None, None) == 5


@pytest.mark.parametrize("text", ["", "-1", "5x", "129TiB", "nan", "9" * 5000], ids=lambda t: t[:9])
def test_invalid_size_is_a_usage_error(text: str) -> None:
    with pytest.raises(click.BadParameter):
        SizeType().convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1", 1),
        ("1000000", 10**6),
        ("1_000_000", 10**6),
        ("1e6", 10**6),
        ("1E6", 10**6),
        ("1.5e3", 1500),
        ("2^20", 1 << 20),
        ("10^15", 10**15),
        ("7^0", 1),
        (" 5 ", 5),
        ("5.0", 5),
    ],
)
def test_count(text: str, count: int) -> None:
    assert CountType().convert(text, None, None) == count


NO_COUNTS = (
    "", "x", "1.5", "1e-3", "nan", "inf", "-inf", "1e400", "2^-1", "2^", "^2", "2^2^2", "2^x",
    "0x10", "1,000", "1__0", "64KiB", "²", "9" * 5000 + "x",
)  # fmt: skip


@pytest.mark.parametrize("text", NO_COUNTS, ids=lambda text: text[:9])
def test_invalid_count_is_an_error_with_examples(text: str) -> None:
    with pytest.raises(
        click.BadParameter, match=r"invalid number .*; expected a number, as in 1000000, 1e6"
    ):
        CountType().convert(text, None, None)


OUT_OF_RANGE = ("0", "-1", "-1e3", "1e16", "10^16", "2^1000", "99^99", "-2^63", "9" * 300)


@pytest.mark.parametrize("text", OUT_OF_RANGE, ids=lambda text: text[:9])
def test_error_for_a_count_out_of_range_names_the_range(text: str) -> None:
    with pytest.raises(click.BadParameter, match=f"expected 1 to {10**15}|invalid number"):
        CountType().convert(text, None, None)


@pytest.mark.parametrize("count", [3, 9])
def test_range_of_counts_includes_its_bounds(count: int) -> None:
    assert CountType(3, 9).convert(str(count), None, None) == count
    with pytest.raises(click.BadParameter, match="out of range; expected 4 to 8"):
        CountType(4, 8).convert(str(count), None, None)


@given(st.integers(1, 10**15))
def test_every_whole_number_is_a_count(count: int) -> None:
    assert CountType().convert(str(count), None, None) == count
    assert CountType().convert(f"{count:_}", None, None) == count


@given(st.text(max_size=10))
def test_any_text_is_a_count_or_an_error(text: str) -> None:
    try:
        assert 1 <= CountType().convert(text, None, None) <= 10**15
    except click.BadParameter as refusal:
        assert text in refusal.message  # noqa: PT017


@pytest.mark.parametrize(
    ("text", "setting"),
    [("a=5", ("a", "5")), ("cache_bytes=64KiB", ("cache_bytes", "64KiB")), ("a=b=c", ("a", "b=c"))],
)
def test_setting_is_a_key_and_what_the_design_reads(text: str, setting: tuple[str, str]) -> None:
    assert SettingType().convert(text, None, None) == setting


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "is not a setting: expected KEY=VALUE"),
        ("=5", "is not a setting"),
        ("", "is not a setting"),
        ("a=", "is not a setting"),
        ("a b=5", "is not a setting"),
    ],
)
def test_invalid_setting_is_an_error(text: str, message: str) -> None:
    with pytest.raises(click.BadParameter, match=message):
        SettingType().convert(text, None, None)


@pytest.mark.parametrize("text", ["4KiB", "4096", "8K"])
def test_range_of_sizes_includes_its_bounds(text: str) -> None:
    assert SizeType(4096, 8192).convert(text, None, None) in (4096, 8192)


@pytest.mark.parametrize("text", ["4095", "8193"])
def test_error_for_a_size_out_of_range_names_the_range(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"expected 4\.0 KiB to 8\.0 KiB"):
        SizeType(4096, 8192).convert(text, None, None)


@pytest.mark.parametrize(
    ("text", "share"),
    [("1/100", 0.01), ("0.01", 0.01), ("1%", 0.01), ("100%", 1.0), ("1", 1.0), ("1e-6", 1e-6)],
)
def test_share_is_read(text: str, share: float) -> None:
    assert ShareType().convert(text, None, None) == pytest.approx(share)


NO_SHARES = ("0", "-1/2", "2", "101%", "1/0", "a", "", "1/2/3", "inf", "nan", "٣%", "1_0/20", " 1%")


@pytest.mark.parametrize("text", NO_SHARES)
def test_invalid_share_is_an_error(text: str) -> None:
    with pytest.raises(click.BadParameter):
        ShareType().convert(text, None, None)


@pytest.mark.parametrize(("text", "ns"), [("30", 30.0), ("30.5", 30.5), ("30ns", 30.0)])
def test_time(text: str, ns: float) -> None:
    assert TimeType().convert(text, None, None) == ns


@pytest.mark.parametrize("text", ["", "0", "-1", "nan", "inf", "1e3", "30us", "30 s", "ns", "٣"])
def test_invalid_time_is_an_error(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected nanoseconds"):
        TimeType().convert(text, None, None)


@pytest.mark.parametrize("text", ["", "nan", "inf", "٣", "1_0", " 5 ", "1h"])
def test_invalid_number_of_seconds_is_an_error(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected seconds, as in 90"):
        SecondsType().convert(text, None, None)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90.0), ("0.5", 0.5), ("1e3", 1000.0)])
def test_seconds(text: str, seconds: float) -> None:
    assert SecondsType().convert(text, None, None) == seconds


def test_percentage_is_a_share() -> None:
    assert PercentType().convert("25%", None, None) == 0.25
    assert PercentType().convert(0.25, None, None) == 0.25
    with pytest.raises(click.BadParameter, match="invalid percentage"):
        PercentType().convert("25", None, None)


@pytest.mark.parametrize(("text", "value"), [("none", "none"), ("25%", 0.25), ("12.5%", 0.125)])
def test_floor_is_a_percentage_or_none(text: str, value: float | str) -> None:
    assert FloorType().convert(text, None, None) == value


def test_floor_without_a_sign_is_an_error() -> None:
    with pytest.raises(click.BadParameter):
        FloorType().convert("25", None, None)
