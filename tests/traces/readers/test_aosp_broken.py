"""Broken lines of AOSP text, which are errors, and last lines that are cut off."""

import pytest

from allocsim.errors import TraceError
from allocsim.events import Op
from tests.traces.conftest import Recorded
from tests.traces.readers.test_aosp import BEFORE
from tests.traces.scan.test_line_reader import reader_of

BROKEN = {
    "no thread": "malloc 0x1000 24",
    "empty thread": ": malloc 0x1000 24",
    "thread in letters": "main: malloc 0x1000 24",
    "negative thread": "-7: malloc 0x1000 24",
    "thread of 19 digits": "1234567890123456789: malloc 0x1000 24",
    "no colon": "7 malloc 0x1000 24",
    "blank before the colon": "7 : malloc 0x1000 24",
    "no blank after the colon": "7:malloc 0x1000 24",
    "two blanks": "7:  malloc 0x1000 24",
    "leading blank": " 7: malloc 0x1000 24",
    "thread alone": "7",
    "colon alone": "7:",
    "nothing after the colon": "7: ",
    "unknown call": "7: mmap 0x1000 24",
    "call in capitals": "7: MALLOC 0x1000 24",
    "call cut": "7: mallo 0x1000 24",
    "call too long": "7: mallocs 0x1000 24",
    "calloc cut": "7: callo 0x1000 2 24",
    "realloc too long": "7: reallocs 0x1000 0x10 24",
    "memalign too long": "7: memaligned 0x1000 64 24",
    "memalign cut": "7: memalig 0x1000 64 24",
    "free too long": "7: frees 0x1000",
    "free and two blanks": "7: free  0x1000",
    "thread_done cut": "7: thread_don 0x0",
    "thread_done mistyped": "7: thread_dome 0x0",
    "thread_done alone": "7: thread_done",
    "thread_done glued": "7: thread_done0x0",
    "thread_done without 0x": "7: thread_done 0",
    "call alone": "7: malloc",
    "free alone": "7: free",
    "address without 0x": "7: malloc 1000 24",
    "address with 0X": "7: malloc 0X1000 24",
    "address without digits": "7: malloc 0x 24",
    "address with a letter": "7: malloc 0x10g0 24",
    "address of 17 digits": "7: malloc 0x12345678123456781 24",
    "address (nil)": "7: malloc (nil) 24",
    "no size": "7: malloc 0x1000",
    "blank instead of size": "7: malloc 0x1000 ",
    "two blanks before size": "7: malloc 0x1000  24",
    "negative size": "7: malloc 0x1000 -24",
    "size with plus": "7: malloc 0x1000 +24",
    "size with a point": "7: malloc 0x1000 2.4",
    "size with a letter": "7: malloc 0x1000 24k",
    "hexadecimal size": "7: malloc 0x1000 0x18",
    "size of 21 digits": "7: malloc 0x1000 123456789012345678901",
    "size of 100 digits": "7: malloc 0x1000 " + "9" * 100,
    "one time": "7: malloc 0x1000 24 1",
    "one time and a blank": "7: malloc 0x1000 24 1 ",
    "three times": "7: malloc 0x1000 24 1 2 3",
    "blank at the end": "7: malloc 0x1000 24 ",
    "blank after times": "7: malloc 0x1000 24 1 2 ",
    "negative time": "7: malloc 0x1000 24 -1 2",
    "time of 21 digits": "7: malloc 0x1000 24 1 123456789012345678901",
    "calloc of one number": "7: calloc 0x1000 24",
    "calloc of no number": "7: calloc 0x1000",
    "calloc, negative": "7: calloc 0x1000 2 -24",
    "calloc, 21 digits": "7: calloc 0x20 3 122978293824730344240",
    "realloc without old": "7: realloc 0x1000 24",
    "realloc, old without 0x": "7: realloc 0x1000 10 24",
    "realloc, old without digits": "7: realloc 0x1000 0x 24",
    "realloc without size": "7: realloc 0x1000 0x10",
    "realloc, old of 17 digits": "7: realloc 0x1000 0x12345678123456781 24",
    "memalign of one number": "7: memalign 0x1000 64",
    "memalign, hexadecimal": "7: memalign 0x1000 0x40 24",
    "free without 0x": "7: free 1000",
    "free without digits": "7: free 0x",
    "free with a size": "7: free 0x1000 24",
    "free with three numbers": "7: free 0x1000 1 2 3",
    "comment": "# a comment",
    "two lines in one": "7: malloc 0x1000 24 7: free 0x1000",
}

broken = pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)


@broken
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["newline", "crlf"])
def test_broken_line_is_an_error_that_names_file_line_and_text(
    recorded: Recorded, line: str, end: str
) -> None:
    with pytest.raises(TraceError) as raised:
        recorded(f"{BEFORE}\n{line}{end}{BEFORE}")
    message = str(raised.value)
    shown = line if len(line) < 80 else line[:80] + "…"
    mark = "\\r" if end == "\r\n" and len(line) < 80 else ""
    assert f"trace.txt, line 3: found '{shown}{mark}', expected TID: malloc|calloc|" in message


@pytest.mark.parametrize("line", ["1: malloc 0x10 8", "hello"])
def test_only_line_without_its_end_is_an_error_that_says_so(recorded: Recorded, line: str) -> None:
    with pytest.raises(TraceError, match=rf"line 1, the last, has no newline .*: '{line}'"):
        recorded(line)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"7: malloc 0x10 \xff\xfe", r"\xff\xfe"),
        (b"7: malloc 0x10 2\x004", r"\x00"),
        (b"7: malloc\t0x10 24", r"malloc\t0x10"),
        (b"7: malloc 0x10 24\r\r", r"\r\r"),
        (b"7: malloc 0x10 24\r7: free 0x10", r"24\r7"),
        (b"\x1b[31m7: malloc 0x10 24", r"\x1b[31m7"),
        ("\uff17: malloc 0x10 24".encode(), "\uff17: malloc"),
        (b"\xef\xbb\xbf7: malloc 0x10 24", r"\ufeff7"),
    ],
    ids=["not utf-8", "nul", "tab", "two returns", "return inside", "escape", "wide digit", "bom"],
)
def test_bytes_that_cannot_be_printed_are_escaped_in_the_error(
    recorded: Recorded, line: bytes, shown: str
) -> None:
    with pytest.raises(TraceError) as raised:
        recorded(BEFORE.encode() + line + b"\n")
    assert shown in str(raised.value)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("number", [1, 2, 1000])
def test_broken_line_is_named_by_its_number(recorded: Recorded, number: int) -> None:
    lines = [f"1: malloc {4096 * i:#x} 8" for i in range(1, 1201)]
    lines[number - 1] = "1: malloc here"
    with pytest.raises(TraceError, match=rf"line {number}: found '1: malloc here', expected"):
        recorded("\n".join(lines) + "\n")


def test_calls_before_a_broken_line_are_read() -> None:
    lines = "".join(f"1: malloc {16 * i:#x} 8\n" for i in range(1, 4)).encode()
    batches: list[int] = []
    with pytest.raises(TraceError, match="line 4"):
        batches.extend(len(batch) for batch in reader_of(lines + b"?\n").batches())
    assert sum(batches) == 3


@pytest.mark.parametrize(
    "end",
    ["1: mal", "1", "1: malloc 0x", "1: malloc 0x20 8 17", "1: malloc 0x20 104", "1: free 0x10"],
    ids=repr,
)
def test_last_line_without_its_end_is_dropped_even_if_it_can_be_read(
    recorded: Recorded, end: str
) -> None:
    events, trace = recorded(BEFORE + end)
    assert events == [(Op.MALLOC, 1, 0, 0, 0)]
    assert trace.losses == [
        f"line 2, the last, has no newline and may be cut off, so it was dropped: '{end}'"
    ]


@pytest.mark.parametrize("end", [" ", "\r", "\t \r"], ids=repr)
def test_blank_after_the_last_newline_is_no_line(recorded: Recorded, end: str) -> None:
    assert recorded(BEFORE + end)[1].losses == []


def test_broken_last_line_with_its_end_is_an_error(recorded: Recorded) -> None:
    with pytest.raises(TraceError, match="line 2"):
        recorded(BEFORE + "1: mal\n")


def test_broken_line_before_a_cut_one_is_an_error(recorded: Recorded) -> None:
    with pytest.raises(TraceError, match="line 2"):
        recorded(BEFORE + "1: mal\n1: malloc 0x20 8\n1: mal")
