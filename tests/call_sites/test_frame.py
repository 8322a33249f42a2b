"""Frames: their names are short and safe to print, and give the location of the frame."""

import pytest

from allocsim.call_sites.frame import MAX_LINE, MAX_NAME, Frame, address_frame, make_frame


def test_control_characters_are_escaped_and_markup_is_left() -> None:
    frame = make_frame("\x1b[2J<b>\n", b"\xff\x00.cpp", 3, "[red]x[/red]\u202e")
    assert frame.function == "\\x1b[2J<b>\\n"
    assert frame.file.isprintable()
    assert frame.module == "[red]x[/red]\\u202e"


@pytest.mark.parametrize("name", ["x" * 1_000_000, b"x" * 1_000_000, "\x00" * 1_000_000])
def test_long_name_is_cut(name: str | bytes) -> None:
    frame = make_frame(name, name, 1, name)
    assert all(len(text) == MAX_NAME and text.endswith("…") for text in frame[:2])


@pytest.mark.parametrize("line", [-1, MAX_LINE + 1])
def test_impossible_line_is_unknown(line: int) -> None:
    assert make_frame("f", "f.c", line).line == 0


@pytest.mark.parametrize(
    ("frame", "label"),
    [
        (Frame("remember", "/src/guilty.cpp", 11, "/bin/guilty"), "remember guilty.cpp:11"),
        (Frame("remember", "/src/guilty.cpp", 0, "/bin/guilty"), "remember guilty.cpp"),
        (Frame("remember", "", 0, "/bin/guilty"), "remember guilty"),
        (Frame("remember"), "remember"),
        (address_frame("/lib/libx.so", 0x1F), "libx.so+0x1f"),
        (address_frame("", 0x1F), "0x1f"),
        (make_frame("", "", 0, "/lib/libx.so"), "[unknown] libx.so"),
    ],
)
def test_label_names_the_function_and_where_it_is(frame: Frame, label: str) -> None:
    assert frame.label == label
