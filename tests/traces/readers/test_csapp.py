"""The .rep files of CS:APP: every header, each kind of line, and a real program."""

import pytest

from allocsim.errors import TraceError
from allocsim.events import Op
from allocsim.traces.readers import csapp
from tests.traces.recordings import Event, assert_same, read, read_bytes
from tests.traces.totals import PROGRAM, totals_of

OLD, MODERN = "20000\n3\n5\n1\n", "1\n3\n5\n0\n"


def rows(content: str) -> list[tuple[int, int, int]]:
    """Operation, bytes and object of each event."""
    events, _ = read_bytes(content.encode(), csapp.FORMAT)
    return [(event[0], event[1], event[4]) for event in events]


CALLS = "a 0 512\na 1 24\nr 0 640\nf 1\nf 0\n"
EVENTS = [
    (Op.MALLOC, 512, 0),
    (Op.MALLOC, 24, 1),
    (Op.REALLOC, 640, 0),
    (Op.FREE, 0, 1),
    (Op.FREE, 0, 0),
]


@pytest.mark.parametrize(
    "header",
    [OLD, MODERN, "20000 \n3\r\n5 \n1\t\n\n", "2\n5\n", "", "# one\n\n# 2 3\n", "#\n3\n#4\n5\n"],
)
def test_headers_make_no_calls(header: str) -> None:
    assert csapp.looks_like((header + CALLS).encode())
    assert rows(header + CALLS) == EVENTS


@pytest.mark.parametrize("end", ["\r\n", " \n", "\t \n", "\n\n"])
def test_lines_may_end_with_blanks(end: str) -> None:
    assert rows((MODERN + CALLS).replace("\n", end)) == EVENTS


def test_negative_id_is_null() -> None:
    _, trace = read_bytes((MODERN + "a 0 1\nf -1\nf 0\nf -25\nf 0\n").encode(), csapp.FORMAT)
    assert trace.dropped == {"free of NULL": 2, "free of unknown": 1}


def test_realloc_of_an_id_that_does_not_live_allocates() -> None:
    _, trace = read_bytes((MODERN + "r 0 24\nf 0\n").encode(), csapp.FORMAT)
    assert trace.dropped == {"realloc of unknown": 1}


def test_wrong_count_in_the_header_is_noted() -> None:
    _, trace = read_bytes((MODERN + "a 0 1\n").encode(), csapp.FORMAT)
    assert trace.notes == ["the header promises 5 operations, but the file has 1"]
    _, trace = read_bytes((MODERN + CALLS).encode(), csapp.FORMAT)
    assert trace.notes == []


def test_id_is_reused_after_its_free() -> None:
    assert rows("a 1 5\nf 1\na 1 6\nr 1 0\nf 1\n") == [
        (Op.MALLOC, 5, 0), (Op.FREE, 0, 0), (Op.MALLOC, 6, 0), (Op.REALLOC, 0, 0), (Op.FREE, 0, 0),
    ]  # fmt: skip


@pytest.mark.parametrize("blank", ["", " ", " \r", "\t \r"])
def test_call_without_size_takes_that_of_the_call_before(blank: str) -> None:
    """In the driver of the CS:APP lab, scanf finds no number and leaves the variable unchanged."""
    content = f"{MODERN}a 0 512\na 1{blank}\nr 0 640\nf 1\nr 0{blank}\n"
    events, trace = read_bytes(content.encode(), csapp.FORMAT)
    assert [event[1] for event in events] == [512, 512, 640, 0, 640]
    (note,) = trace.notes
    assert note.startswith("calls without a size: 2; each took the size of the previous call")


def test_first_call_needs_a_size() -> None:
    with pytest.raises(TraceError, match=r"memory, line 6: found 'a 1'"):
        rows(f"{MODERN}f 7\na 1\na 2 5\n")


BROKEN = (
    "a",
    "a ",
    "a -1 5",
    "a 0 -5",
    "a -1",
    "r",
    "7",
    "f",
    "f x",
    "f --1",
    "f 0 1",
    "a 0 5 6",
    "x 0 5",
    "a0 5",
    "a 0x5 5",
    "f 999999999999999999",
    "a 288230376151711744 1",
)


@pytest.mark.parametrize("line", BROKEN)
def test_broken_line_is_named(line: str) -> None:
    with pytest.raises(TraceError, match=r"memory, line 6: found '.*', expected 0, 2 or 4 numbers"):
        rows(f"{MODERN}a 0 5\n{line}\nf 0\n")


@pytest.mark.parametrize(
    "header", ["1\n3\nx\n0\n", "1\n3\n-5\n0\n", "1 3 5 0\n", "1\n", "1\n3\n5\n", "1\n3\n5\n0\n7\n"]
)
def test_broken_header_is_named(header: str) -> None:
    with pytest.raises(TraceError, match=r"memory, line [1-5]: found"):
        rows(header + CALLS)


@pytest.mark.parametrize(
    ("head", "known"),
    [("1\n3\n5\n0\n", False), ("1\n3\n5\na 0 5\n", False), ("1\n3\n5\n0\nb 0 5", False),
     ("1: malloc 0x10 5\n", False), ("", False), ("1\n3\n5\n0\na 0 5", True),
     ("a 0 5\n", True), ("a 0\n", False), ("a 0 0x5\n", False), ("3\n5\nf -1\n", True),
     ("# of make\n\na 1 5\n", True), ("# of make\n", False), ("3\na 1 5\n", False),
     ("a 1f 5\n", False), ("1\n3\n5\n0\n7\na 1 5\n", False)],
)  # fmt: skip
def test_file_is_known_by_its_header_and_first_call(head: str, known: bool) -> None:
    assert csapp.looks_like(head.encode()) == known


def written(events: list[Event]) -> str:
    """The events as a .rep file, where IDs are not reused."""
    lines, ids = list[str](), dict[int, int]()
    for op, request, _, _, number in events:
        if op in (Op.MALLOC, Op.CALLOC):
            ids[number] = len(lines)
            lines.append(f"a {ids[number]} {request}")
        else:
            call = "f" if op == Op.FREE else "r"
            lines.append(f"{call} {ids[number]}" + f" {request}" * (op == Op.REALLOC))
    return "\n".join(["0", str(len(lines)), str(len(lines)), "0", *lines, ""])


def test_real_program_written_as_rep_is_read_as_it_was() -> None:
    """Calls of calloc become calls of malloc, because the format has no calloc."""
    recorded: list[Event] = [
        (Op.MALLOC if row[0] == Op.CALLOC else row[0], *row[1:]) for row in read(PROGRAM)[0]
    ]
    events, trace = read_bytes(written(recorded).encode(), csapp.FORMAT)
    assert_same(events, recorded)
    assert totals_of(events) == totals_of(recorded)
    assert (trace.dropped, trace.notes) == ({}, [])
