"""Axes: the options -L and -P."""

import pytest

from allocsim.errors import InputError
from allocsim.sweep.axis import allocator_of, list_axis, range_axis, settings_in, settings_of


def test_list_has_the_values_in_their_order() -> None:
    axis = list_axis("tcache_count=7,default,0")
    assert (axis.subject, axis.key, axis.values) == (None, "tcache_count", ["7", "default", "0"])


def test_text_before_the_last_colon_is_the_subject() -> None:
    assert list_axis("lib:glibc:arena_max=1,2").subject == "lib:glibc"
    assert range_axis("glibc:arena_max=1:2").subject == "glibc"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("n=1:4", ["1", "2", "3", "4"]),
        ("n=0:10:5", ["0", "5", "10"]),
        ("n=0:11:5", ["0", "5", "10"]),
        ("n=-1:1", ["-1", "0", "1"]),
        ("n=64KiB:256KiB:64KiB", ["65536", "131072", "196608", "262144"]),
        ("n=64KiB:1MiB:x4", ["65536", "262144", "1048576"]),
        ("n=3:3", ["3"]),
    ],
)
def test_range_includes_its_end(text: str, values: list[str]) -> None:
    assert list(range_axis(text).values) == values


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n", "expected KEY=LOW:HIGH:STEP"),
        ("n=1", "is not a range"),
        ("n=1:2:3:4", "is not a range"),
        ("n=2:1", "2 is greater than 1"),
        ("n=1:2:0", "expected at least 1"),
        ("n=1:2:x1", "at least x2"),
        ("n=0:2:x2", "LOW must be above 0"),
        ("n=1:two", "'two' is neither a number nor a size"),
        ("n=0:1e9", "too many values; expected at most 1,000,000"),
        (f"n=0:{'9' * 4000}", "too many values"),
        ("n=0:٣", "'٣' is neither a number nor a size"),
    ],
)
def test_invalid_range_is_an_error(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        range_axis(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n", "expected KEY=A,B,C"),
        ("=1", "expected KEY=A,B,C"),
        ("n=", "empty value"),
        ("n=1,,2", "empty value"),
        ("n=1,2,1", "has the value 1 twice"),
        ("n=1024,2,1KiB", "has the same value twice: 1024 and 1KiB"),
        ("n=1,01", "has the same value twice: 1 and 01"),
    ],
)
def test_invalid_list_is_an_error(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list_axis(text)


@pytest.mark.parametrize(
    ("subject", "allocator", "settings"),
    [
        ("tcmalloc", "tcmalloc", {}),
        ("go:GOGC=50:direct=1", "go", {"GOGC": "50", "direct": "1"}),
        ("lib:jemalloc:narenas=1", "lib:jemalloc", {"narenas": "1"}),
        ("lib:/a/libx.so:x_:narenas=1", "lib:/a/libx.so:x_", {"narenas": "1"}),
    ],
)  # fmt: skip
def test_subject_is_an_allocator_and_settings(
    subject: str, allocator: str, settings: dict[str, str]
) -> None:
    assert (allocator_of(subject), settings_in(subject)) == (allocator, settings)


def test_settings_of_a_subject_are_those_of_its_allocator() -> None:
    assert "release_rate" in settings_of("tcmalloc:startup=none")
    assert settings_of("go2008") == []
    assert "arena_max" in settings_of("lib:glibc:tcache_count=0")
