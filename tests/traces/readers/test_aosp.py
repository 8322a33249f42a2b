"""The reader of Android's text: lines that become an event, and lines that do not."""

import random

import pytest

from allocsim.errors import TraceError
from allocsim.events import Op
from allocsim.traces.readers import aosp
from allocsim.traces.scan import line_reader
from tests.traces.conftest import Recorded
from tests.traces.recordings import (
    Event,
)

BEFORE = "5: malloc 0x10 1\n"
"""A line that allocates object 0 on thread 0."""

GOOD = {
    "malloc": ("5: malloc 0x1000 24", (Op.MALLOC, 24, 0, 0, 1)),
    "malloc of nothing": ("5: malloc 0x1000 0", (Op.MALLOC, 0, 0, 0, 1)),
    "malloc, upper case": ("5: malloc 0xABCDEF 24", (Op.MALLOC, 24, 0, 0, 1)),
    "malloc, leading zeros": ("5: malloc 0x000000001000 024", (Op.MALLOC, 24, 0, 0, 1)),
    "malloc, 16 digits": ("5: malloc 0xb400007fffffffff 24", (Op.MALLOC, 24, 0, 0, 1)),
    "malloc by a new thread": ("6: malloc 0x1000 24", (Op.MALLOC, 24, 0, 1, 1)),
    "malloc by thread 0": ("0: malloc 0x1000 24", (Op.MALLOC, 24, 0, 1, 1)),
    "thread of 18 digits": ("999999999999999999: malloc 0x20 2", (Op.MALLOC, 2, 0, 1, 1)),
    "largest size": ("5: malloc 0x1000 140737488355328", (Op.MALLOC, 1 << 47, 0, 0, 1)),
    "calloc": ("5: calloc 0x1000 3 8", (Op.CALLOC, 24, 0, 0, 1)),
    "calloc of no elements": ("5: calloc 0x1000 0 8", (Op.CALLOC, 0, 0, 0, 1)),
    "calloc of empty elements": ("5: calloc 0x1000 8 0", (Op.CALLOC, 0, 0, 0, 1)),
    "memalign": ("5: memalign 0x1000 64 100", (Op.MEMALIGN, 100, 6, 0, 1)),
    "memalign to a byte": ("5: memalign 0x1000 1 100", (Op.MEMALIGN, 100, 0, 0, 1)),
    "memalign to nothing": ("5: memalign 0x1000 0 100", (Op.MEMALIGN, 100, 0, 0, 1)),
    "memalign, rounded up": ("5: memalign 0x1000 48 100", (Op.MEMALIGN, 100, 6, 0, 1)),
    "memalign to 1 GiB": ("5: memalign 0x40000000 1073741824 1", (Op.MEMALIGN, 1, 30, 0, 1)),
    "realloc": ("5: realloc 0x1000 0x10 24", (Op.REALLOC, 24, 0, 0, 0)),
    "realloc in place": ("5: realloc 0x10 0x10 24", (Op.REALLOC, 24, 0, 0, 0)),
    "realloc of NULL": ("5: realloc 0x1000 0x0 24", (Op.MALLOC, 24, 0, 0, 1)),
    "realloc to nothing": ("5: realloc 0x0 0x10 0", (Op.FREE, 0, 0, 0, 0)),
    "realloc to 0 bytes": ("5: realloc 0x1000 0x10 0", (Op.REALLOC, 0, 0, 0, 0)),
    "free": ("5: free 0x10", (Op.FREE, 0, 0, 0, 0)),
    "free by another thread": ("9: free 0x10", (Op.FREE, 0, 0, 1, 0)),
    "thread_done": ("5: thread_done 0x0", (Op.THREAD_DONE, 0, 0, 0, 0)),
}
"""Lines after BEFORE, with the event of each."""

good = pytest.mark.parametrize(("line", "event"), GOOD.values(), ids=GOOD)


@good
@pytest.mark.parametrize(
    "times",
    ["", " 1 2", " 1764021942000000000 18446744073709551615"],
    ids=["bare", "timed", "long"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["newline", "crlf"])
def test_line_makes_its_event(
    recorded: Recorded, line: str, event: Event, times: str, end: str
) -> None:
    events, trace = recorded(BEFORE + line + times + end)
    assert events == [(Op.MALLOC, 1, 0, 0, 0), event]
    assert (trace.dropped, trace.notes) == ({}, [])


def test_thread_done_has_one_time_on_android(recorded: Recorded) -> None:
    events, _ = recorded(BEFORE + "5: thread_done 0x0 437672204000000000\n")
    assert events[1] == (Op.THREAD_DONE, 0, 0, 0, 0)


DROPPED = {
    "malloc that failed": ("5: malloc 0x0 24", "failed call"),
    "calloc that failed": ("5: calloc 0x0 2 24", "failed call"),
    "memalign that failed": ("5: memalign 0x0 64 24", "failed call"),
    "realloc that failed": ("5: realloc 0x0 0x10 24", "failed call"),
    "realloc of NULL that failed": ("5: realloc 0x0 0x0 24", "failed call"),
    "free of NULL": ("5: free 0x0", "free of NULL"),
    "free of unknown": ("5: free 0x20", "free of unknown"),
    "realloc of unknown to nothing": ("5: realloc 0x0 0x20 0", "free of unknown"),
    "one byte too many": ("5: malloc 0x20 140737488355329", "impossible size"),
    "size of 18 digits": ("5: malloc 0x20 999999999999999999", "impossible size"),
    "size of 20 digits": ("5: malloc 0x20 18446744073709551615", "impossible size"),
    "malloc of too much that failed": ("5: malloc 0x0 18446744073709551615", "failed call"),
    "realloc to too much that failed": (
        "5: realloc 0x0 0x10 18446744073709551615",
        "failed call",
    ),
    "calloc, 20 digits": ("5: calloc 0x20 3 12297829382473034424", "impossible size"),
    "product just too large": ("5: calloc 0x20 140737488355329 1", "impossible size"),
    "product of 2**64": ("5: calloc 0x20 4294967296 4294967296", "impossible size"),
    "product beyond 2**62": ("5: calloc 0x20 999999999999999999 5", "impossible size"),
    "product of 36 digits": (
        "5: calloc 0x20 999999999999999999 999999999999999999",
        "impossible size",
    ),
    "product that would wrap": ("5: calloc 0x20 274877906944 67108865", "impossible size"),
    "realloc to too much": ("5: realloc 0x20 0x10 999999999999999999", "impossible size"),
    "alignment too large": ("5: memalign 0x20 1073741825 1", "impossible size"),
    "alignment of 18 digits": ("5: memalign 0x20 999999999999999999 1", "impossible size"),
    "end of an unknown thread": ("6: thread_done 0x0", ""),
}
"""Lines after BEFORE that make no event, with the reason, or "" if the line is not counted."""

dropped_lines = {name: found for name, found in DROPPED.items() if found[1] is not None}


@pytest.mark.parametrize(("line", "reason"), dropped_lines.values(), ids=dropped_lines)
def test_line_is_dropped_under_its_reason(recorded: Recorded, line: str, reason: str) -> None:
    events, trace = recorded(f"{BEFORE}{line}\n5: free 0x10\n")
    assert events == [(Op.MALLOC, 1, 0, 0, 0), (Op.FREE, 0, 0, 0, 0)]
    assert trace.dropped == ({reason: 1} if reason else {})


def test_blank_lines_count_as_lines_and_are_no_calls(recorded: Recorded) -> None:
    events, _ = recorded("\n\r\n\n" + BEFORE + "\n\n")
    assert events == [(Op.MALLOC, 1, 0, 0, 0)]
    with pytest.raises(TraceError, match="line 7: found '!"):
        recorded("\n\r\n\n" + BEFORE + "\n\n!\n")


def test_top_four_bits_of_an_address_do_not_count(recorded: Recorded) -> None:
    events, trace = recorded("1: malloc 0xb000000000001000 8\n1: free 0x1000\n")
    assert [event[0] for event in events] == [Op.MALLOC, Op.FREE]
    assert trace.dropped == {}


def test_addresses_that_differ_in_bit_59_are_different(recorded: Recorded) -> None:
    _, trace = recorded("1: malloc 0x0800000000001000 8\n1: free 0x1000\n")
    assert trace.dropped == {"free of unknown": 1}


def test_empty_file_is_an_error(recorded: Recorded) -> None:
    with pytest.raises(TraceError, match=r"trace\.txt: the trace is empty"):
        recorded("")


def test_file_of_blank_lines_has_no_events_and_a_note(recorded: Recorded) -> None:
    events, trace = recorded("\n\r\n\n")
    assert (events, trace.notes) == ([], ["no call of the recording became an event"])


@pytest.mark.parametrize("seed", range(4))
def test_binary_file_is_an_error(recorded: Recorded, seed: int) -> None:
    noise = b"\x7fELF" + random.Random(seed).randbytes(3000)
    with pytest.raises(TraceError, match=r"trace\.txt, line 1: found '\\x7fELF"):
        recorded(noise)


def test_file_of_zeros_is_an_error(recorded: Recorded) -> None:
    with pytest.raises(TraceError, match="line 1"):
        recorded(bytes(line_reader.BLOCK + 5000))


def test_line_longer_than_a_block_is_an_error(recorded: Recorded) -> None:
    with pytest.raises(TraceError, match="line 2: found '1: malloc 0x10 999"):
        recorded(BEFORE + "1: malloc 0x10 " + "9" * line_reader.BLOCK + "\n")


@pytest.mark.parametrize(
    ("head", "is_it"),
    [
        (b"202: malloc 0xb4827400 1024\n", True),
        (b"\n 1: free 0x0\n", True),
        (b"1: thread_done 0x0", True),
        (b"1: calloc 0x10 1 1", True),
        (b"1: realloc 0x10 0x0 1", True),
        (b"1: memalign 0x10 16 1", True),
        (b"1: mmap 0x10", False),
        (b"a: malloc 0x10 1", False),
        (b": malloc 0x10 1", False),
        (b"= Start\n@ prog:[0x1] + 0x10 0x20\n", False),
        (b"", False),
        (b"PK\x03\x04", False),
    ],
    ids=repr,
)
def test_format_is_detected_by_its_first_line(head: bytes, is_it: bool) -> None:
    assert aosp.looks_like(head) is is_it
