"""The reader of Firefox's logs, raw or munged (slots in place of addresses).

A mark is a line such as jemalloc_stats(), a call that does not affect the heap.
"""

import pytest

from allocsim.errors import TraceError
from allocsim.events import Op
from allocsim.traces.readers import logalloc
from tests.traces.lines import first_event, read_lines
from tests.traces.recordings import Event

BEFORE = "9 9 malloc(1)=0x10"

GOOD: dict[str, tuple[str, Event]] = {
    "malloc": ("malloc(24)=0x7f90495120e0", (Op.MALLOC, 24, 0, 0, 1)),
    "calloc": ("calloc(3,8)=0x20", (Op.CALLOC, 24, 0, 0, 1)),
    "realloc": ("realloc(0x10,24)=0x20", (Op.REALLOC, 24, 0, 0, 0)),
    "realloc of NULL": ("realloc(0x0,24)=0x20", (Op.MALLOC, 24, 0, 0, 1)),
    "realloc of (nil)": ("realloc((nil),24)=0x20", (Op.MALLOC, 24, 0, 0, 1)),
    "realloc to nothing": ("realloc(0x10,0)=0x0", (Op.FREE, 0, 0, 0, 0)),
    "free": ("free(0x10)", (Op.FREE, 0, 0, 0, 0)),
    "memalign": ("memalign(64,9)=0x40", (Op.MEMALIGN, 9, 6, 0, 1)),
    "posix_memalign": ("posix_memalign(64,9)=0x40", (Op.MEMALIGN, 9, 6, 0, 1)),
    "aligned_alloc": ("aligned_alloc(64,9)=0x40", (Op.MEMALIGN, 9, 6, 0, 1)),
    "valloc": ("valloc(9)=0x1000", (Op.MEMALIGN, 9, 12, 0, 1)),
    "malloc into a slot": ("malloc(24)=#5", (Op.MALLOC, 24, 0, 0, 1)),
    "realloc of a slot": ("realloc(#16,24)=#17", (Op.REALLOC, 24, 0, 0, 0)),
    "realloc of no slot": ("realloc(#0,24)=#17", (Op.MALLOC, 24, 0, 0, 1)),
    "free of a slot": ("free(#16)", (Op.FREE, 0, 0, 0, 0)),
}
"""Calls that follow BEFORE, and their events. Slot #16 is read as the address 0x10."""


@pytest.mark.parametrize("ids", ["9 9", "9 0"], ids=["same thread", "thread 0"])
@pytest.mark.parametrize(("line", "event"), GOOD.values(), ids=GOOD)
def test_line_makes_its_event(ids: str, line: str, event: Event) -> None:
    found, dropped = first_event("logalloc", BEFORE, f"{ids} {line}")
    assert found is not None
    assert found == (*event[:3], int(ids == "9 0"), event[4])
    assert dropped == {}


def test_line_without_a_thread_is_read() -> None:
    events, _ = read_lines(
        "logalloc", "13663 malloc(42)=0x7f0c33502040", "13663 free(0x7f0c33502040)"
    )
    assert [event[:2] for event in events] == [(Op.MALLOC, 42), (Op.FREE, 0)]


DROPPED = {
    "malloc that failed": ("malloc(18446744073709551615)=0x0", "failed call"),
    "free of NULL": ("free(0x0)", "free of NULL"),
    "free of unknown": ("free(0x99)", "free of unknown"),
    "free of the slot of NULL": ("free(#99)", "free of NULL"),
    "product": ("calloc(4294967296,4294967296)=0x20", "impossible size"),
}


@pytest.mark.parametrize(("line", "reason"), DROPPED.values(), ids=DROPPED)
def test_line_is_dropped_under_its_reason(line: str, reason: str) -> None:
    assert first_event("logalloc", BEFORE, f"9 9 {line}") == (None, {reason: 1})


@pytest.mark.parametrize("mark", ["jemalloc_stats()", "jemalloc_free_dirty_pages()"])
def test_mark_is_no_call(mark: str) -> None:
    events, trace = read_lines("logalloc", BEFORE, f"9 9 {mark}", "9 9 free(0x10)")
    assert (len(events), trace.notes, trace.dropped) == (2, [], {})


BROKEN = {
    "no process": "malloc(24)=0x20",
    "process in letters": "x 9 malloc(24)=0x20",
    "process of 19 digits": "1234567890123456789 9 malloc(24)=0x20",
    "three ids": "9 9 9 malloc(24)=0x20",
    "unknown call": "9 9 mmap(24)=0x20",
    "no parenthesis": "9 9 malloc 24",
    "no end": "9 9 malloc(24",
    "no result": "9 9 malloc(24)",
    "result missing": "9 9 malloc(24)=",
    "result in decimal": "9 9 malloc(24)=99",
    "slot without a number": "9 9 free(#)",
    "negative size": "9 9 malloc(-24)=0x20",
    "blank in the arguments": "9 9 calloc(3, 8)=0x20",
    "one argument": "9 9 realloc(0x10)=0x20",
    "three arguments": "9 9 realloc(0x10,1,2)=0x20",
    "more after": "9 9 malloc(24)=0x20 x",
    "more after a mark": "9 9 jemalloc_stats() x",
    "process alone": "9",
    "ids alone": "9 9 ",
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
def test_broken_line_is_an_error_that_names_it(line: str) -> None:
    with pytest.raises(TraceError, match=r"memory, line 2: found '.*expected PID \[TID\] FUNCTION"):
        read_lines("logalloc", BEFORE, line, BEFORE)


@pytest.mark.parametrize(
    ("head", "is_it"),
    [
        (b"18545 18562 malloc(32)=0x7f90495120e0\n", True),
        (b"1 malloc(42)=#1\n", True),
        (b"1 1 free(#1)\n", True),
        (b"1 jemalloc_stats()\n", True),
        (b"11457 sh->malloc(32) = 0x55cc13ab32a0\n", False),
        (b"1: malloc 0x10 1\n", False),
        (b"", False),
    ],
    ids=repr,
)
def test_format_is_detected_by_its_first_line(head: bytes, is_it: bool) -> None:
    assert logalloc.looks_like(head) is is_it
