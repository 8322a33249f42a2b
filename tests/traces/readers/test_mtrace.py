"""The reader of glibc's mtrace: each kind of line, broken lines, and callers of every form."""

import pytest

from allocsim.errors import TraceError
from allocsim.events import Op
from allocsim.traces.readers import mtrace
from tests.traces.lines import first_event, read_lines
from tests.traces.recordings import Event, read_bytes

BEFORE = "@ prog:[0x1] + 0x10 0x1"
"""A line that allocates object 0."""

CALLERS = {
    "none": "",
    "file": "@ ./prog:[0x1139] ",
    "function": "@ /lib/x86_64-linux-gnu/libsqlite3.so.0:(sqlite3_free+62)[0xa6cd2] ",
    "blanks": "@ /home/me/my + programs/- 0x10 x:[0x1] ",
    "not utf-8": "@ ./pr\udcffg:[0x1] ",
}

GOOD: dict[str, tuple[str, Event]] = {
    "malloc": ("+ 0x20 0x18", (Op.MALLOC, 24, 0, 0, 1)),
    "malloc of nothing": ("+ 0x20 0", (Op.MALLOC, 0, 0, 0, 1)),
    "free": ("- 0x10", (Op.FREE, 0, 0, 0, 0)),
}


@pytest.mark.parametrize("caller", CALLERS.values(), ids=CALLERS)
@pytest.mark.parametrize(("line", "event"), GOOD.values(), ids=GOOD)
def test_line_makes_its_event(caller: str, line: str, event: Event) -> None:
    content = f"{BEFORE}\n{caller}{line}\n".encode("utf-8", "surrogateescape")
    events, trace = read_bytes(content, mtrace.FORMAT)
    assert events[1:] == [event]
    assert (trace.dropped, trace.notes) == ({}, [])


DROPPED = {
    "malloc that failed": ("+ (nil) 0x3fffffffffffffff", "failed call"),
    "realloc that failed": ("! 0x10 0xffffffffffffffff", "failed call"),
    "free of unknown": ("- 0x30", "free of unknown"),
    "size of 64 bits": ("+ 0x20 0xf000000000000010", "impossible size"),
}


@pytest.mark.parametrize(("line", "reason"), DROPPED.values(), ids=DROPPED)
def test_line_is_dropped_under_its_reason(line: str, reason: str) -> None:
    assert first_event("mtrace", BEFORE, line) == (None, {reason: 1})


@pytest.mark.parametrize("caller", CALLERS.values(), ids=CALLERS)
def test_two_lines_make_a_realloc(caller: str) -> None:
    lines = (BEFORE, f"{caller}< 0x10", f"{caller}> 0x20 0x64", "- 0x20")
    content = "\n".join((*lines, "")).encode("utf-8", "surrogateescape")
    events, trace = read_bytes(content, mtrace.FORMAT)
    assert [event[0] for event in events] == [Op.MALLOC, Op.REALLOC, Op.FREE]
    assert events[1] == (Op.REALLOC, 100, 0, 0, 0)
    assert trace.dropped == {}


def test_second_half_of_a_realloc_alone_is_a_malloc() -> None:
    """A line between the two halves is not part of the realloc."""
    events, _ = read_lines("mtrace", BEFORE, "< 0x10", "+ 0x30 0x2", "> 0x20 0x3")
    assert [event[0] for event in events] == [Op.MALLOC, Op.MALLOC, Op.MALLOC]


def test_start_and_end_are_no_calls() -> None:
    events, trace = read_lines("mtrace", "= Start", BEFORE, "= End")
    assert (len(events), trace.notes) == (1, [])


BROKEN = {
    "nothing known": "hello",
    "caller alone": "@ prog:[0x1]",
    "unknown sign": "@ prog:[0x1] * 0x10 0x20",
    "no size": "@ prog:[0x1] + 0x10",
    "two sizes": "+ 0x10 0x20 0x30",
    "size of a free": "- 0x10 0x20",
    "decimal size": "+ 0x20 32",
    "zero and more": "+ 0x20 00",
    "decimal address": "+ 16 0x20",
    "address without digits": "- 0x",
    "two blanks": "+ 0x10  0x20",
    "blank at the end": "- 0x10 ",
    "sign at the end": "0x10 -",
    "sign glued": "@ prog:[0x1]+ 0x10 0x20",
    "17 digits": "- 0x11111111111111111",
    "negative": "+ 0x20 -0x1",
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
def test_broken_line_is_an_error_that_names_it(line: str) -> None:
    with pytest.raises(TraceError, match=r"memory, line 3: found '") as raised:
        read_lines("mtrace", "= Start", BEFORE, line, "- 0x10")
    assert "expected [@ CALLER] followed by + PTR SIZE" in str(raised.value)


@pytest.mark.parametrize(
    ("head", "is_it"),
    [
        (b"= Start\n", True),
        (b"@ ./prog:[0x1139] + 0x55d0a52a02a0 0x64\n", True),
        (b"@ ./prog:[0x1139] - 0x55d0a52a02a0\n", True),
        (b"= End\n", False),
        (b"@ me: hello\n", False),
        (b"", False),
    ],
    ids=repr,
)
def test_format_is_detected_by_its_first_line(head: bytes, is_it: bool) -> None:
    assert mtrace.looks_like(head) is is_it
