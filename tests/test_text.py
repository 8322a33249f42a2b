"""Formatted sizes and counts, and text that is safe to print."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocsim.quantities import MAX_SIZE, parse_size
from allocsim.text import (
    MAX_SHOWN,
    counted,
    distinct_bytes,
    encodable,
    format_bytes,
    format_change,
    printable,
    printable_lines,
    shell_argument,
    shortened,
    with_short_names,
)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (999, "999 B"),
        (1000, "1.0 KiB"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (10 * 1024, "10.0 KiB"),
        (116391936, "111.0 MiB"),
        (1 << 30, "1.0 GiB"),
        (1 << 40, "1.0 TiB"),
        (5000 << 40, "5,000.0 TiB"),
        (-1536, "-1.5 KiB"),
        (0.4, "0 B"),
    ],
    ids=str,
)
def test_bytes_are_shown_with_a_binary_unit(count: float, text: str) -> None:
    assert format_bytes(count) == text


@given(st.integers(0, MAX_SIZE))
def test_shown_bytes_are_close_to_the_bytes(count: int) -> None:
    assert parse_size(format_bytes(count).replace(" B", "")) == pytest.approx(count, rel=0.06)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 events"), (1, "1 event"), (2, "2 events"), (1234, "1,234 events")]
)
def test_count_of_one_is_singular(count: int, text: str) -> None:
    assert counted(count, "event") == text


def test_noun_that_ends_in_s_gets_es() -> None:
    assert [counted(n, "size class") for n in (1, 2)] == ["1 size class", "2 size classes"]
    assert counted(3, "more process") == "3 more processes"


def test_a_change_has_its_sign() -> None:
    changes = [format_change(count) for count in (-1536, 0, 3 << 20)]
    assert changes == ["-1.5 KiB", "+0 B", "+3.0 MiB"]


def test_long_value_is_shortened_and_marked() -> None:
    assert shortened("9" * MAX_SHOWN) == "9" * MAX_SHOWN
    assert shortened("9" * 5000) == "9" * MAX_SHOWN + "…"


def test_message_keeps_paths_and_cuts_longer_names() -> None:
    path = "/".join(["x" * 255] * 8)
    assert with_short_names(f"cannot read '{path}'") == f"cannot read '{path}'"
    assert with_short_names(f"a={'9' * 5000}: wrong") == f"a={'9' * (MAX_SHOWN - 2)}… wrong"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("näme 1.txt", "näme 1.txt"),
        ("", ""),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nallocsim: error: b\r", "a\\nallocsim: error: b\\r"),
        ("\x9b31m\x00\x7f", "\\x9b31m\\x00\\x7f"),
        ("gpj.\u202etxt", "gpj.\\u202etxt"),
        ("\udcff", "\\udcff"),
    ],
)
def test_control_characters_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_line_breaks_are_kept() -> None:
    assert printable_lines("one of:\n\ta,\n\t\x1b") == "one of:\n    a,\n    \\x1b"


def test_bytes_that_are_not_utf8_are_escaped_in_all_texts() -> None:
    data = {"a\udcff": ["é", ("\udcfe", 1)], "b": None}
    assert encodable(data) == {"a\\udcff": ["é", ["\\udcfe", 1]], "b": None}


@pytest.mark.parametrize(
    ("path", "argument"),
    [
        ("dir/server.toml", "dir/server.toml"),
        ("a b", "'a b'"),
        ("$(id).toml", "'$(id).toml'"),
        ("-rf", "./-rf"),
    ],
)
def test_a_path_in_a_suggested_command_is_one_argument(path: str, argument: str) -> None:
    assert shell_argument(path) == argument


def test_quotes_of_a_suggested_command_are_not_cut() -> None:
    names = ["A" * length + "'" * 59 + ' $(command)" #' for length in range(20)]
    names += ["A" * 77 + "'" + "\U000e0001" * 22 + ' $(command)" #']
    for name in names:
        message = with_short_names(printable(f"use `allocsim replay {shell_argument(name)}`"))
        assert len(shlex.split(message.strip("`").replace("`", ""))) == 4


@pytest.mark.parametrize(
    ("sizes", "texts"),
    [
        ((1 << 20, 3 << 20), ["1.0 MiB", "3.0 MiB"]),
        ((1 << 20, 1 << 20), ["1.0 MiB", "1.0 MiB"]),
        ((5_869_568, 5_873_664), ["5.598 MiB", "5.602 MiB"]),
        ((1 << 50, (1 << 50) + 1), ["1,024.000000000000 TiB", "1,024.000000000001 TiB"]),
    ],
)
def test_different_sizes_get_different_texts(sizes: tuple[int, int], texts: list[str]) -> None:
    assert distinct_bytes(*sizes) == texts
