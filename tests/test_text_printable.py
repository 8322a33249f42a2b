"""Text from outside is escaped, so that it stays on one line and cannot control a terminal."""

import pytest

from allocsim.text import printable, printable_lines


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
