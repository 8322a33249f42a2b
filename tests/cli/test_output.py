"""In an ASCII locale, bars and sparklines are drawn with ASCII characters."""

import pytest

from allocsim.cli.output import ASCII_FALLBACK, register_ascii_fallback
from allocsim.reports.phrases import bar, sparkline


@pytest.fixture(autouse=True)
def _known() -> None:
    register_ascii_fallback()


def test_each_height_has_its_own_character() -> None:
    line = sparkline([*range(1, 9)], 8, 8)
    assert line.encode("ascii", ASCII_FALLBACK) == b":-=+*%##"
    assert len({*"▁▂▃▄▅▆▇█".encode("ascii", ASCII_FALLBACK)}) == 8


@pytest.mark.parametrize("part", range(0, 161, 7))
def test_bar_keeps_its_length(part: int) -> None:
    shown = bar(part, 160)
    assert len(shown.encode("ascii", ASCII_FALLBACK)) == len(shown)
    assert shown.encode("ascii", ASCII_FALLBACK).rstrip(b"|") == b"#" * shown.count("█")


def test_unknown_character_becomes_a_question_mark() -> None:
    assert "▇é".encode("latin-1", ASCII_FALLBACK) == "%é".encode("latin-1")
    assert "日".encode("ascii", ASCII_FALLBACK) == b"?"


def test_undecodable_bytes_are_still_an_error() -> None:
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", ASCII_FALLBACK)
