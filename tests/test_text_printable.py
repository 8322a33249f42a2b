"""What is shown of others' text is one line and moves no cursor."""

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
def test_text_is_shown_without_what_controls_a_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_lines_of_our_own_stay_lines() -> None:
    assert printable_lines("one of:\n\ta,\n\t\x1b") == "one of:\n    a,\n    \\x1b"
