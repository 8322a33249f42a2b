"""The reader of Valgrind's --trace-malloc: every spelling, joined calls, mixed output."""

import pytest

from allocsim.events import Op
from allocsim.traces.readers import valgrind
from allocsim.traces.scan import line_reader
from tests.traces.lines import first_event, read_lines
from tests.traces.recordings import Event

BEFORE = "--9-- malloc(1) = 0x10"

GOOD: dict[str, tuple[str, Event]] = {
    "malloc": ("malloc(24) = 0x4D2C040", (Op.MALLOC, 24, 0, 0, 1)),
    "malloc of nothing": ("malloc(0) = 0x20", (Op.MALLOC, 0, 0, 0, 1)),
    "calloc": ("calloc(3,8) = 0x20", (Op.CALLOC, 24, 0, 0, 1)),
    "realloc": ("realloc(0x10,24) = 0x20", (Op.REALLOC, 24, 0, 0, 0)),
    "realloc of NULL": ("realloc(0x0,24)malloc(24) = 0x20", (Op.MALLOC, 24, 0, 0, 1)),
    "realloc to nothing": ("realloc(0x10,0)free(0x10)", (Op.FREE, 0, 0, 0, 0)),
    "free": ("free(0x10)", (Op.FREE, 0, 0, 0, 0)),
    "memalign": ("memalign(al 64, size 100) = 0x40", (Op.MEMALIGN, 100, 6, 0, 1)),
    "aligned_alloc": ("aligned_alloc(al 64, size 100) = 0x40", (Op.MEMALIGN, 100, 6, 0, 1)),
    "new": ("_Znwm(24) = 0x20", (Op.MALLOC, 24, 0, 0, 1)),
    "new of 32 bits": ("_Znwj(24) = 0x20", (Op.MALLOC, 24, 0, 0, 1)),
    "new []": ("_Znam(24) = 0x20", (Op.MALLOC, 24, 0, 0, 1)),
    "new that returns NULL": ("_ZnwmRKSt9nothrow_t(24) = 0x20", (Op.MALLOC, 24, 0, 0, 1)),
    "aligned new": ("_ZnwmSt11align_val_t(size 24, al 64) = 0x40", (Op.MEMALIGN, 24, 6, 0, 1)),
    "aligned new [] that returns NULL": (
        "_ZnamSt11align_val_tRKSt9nothrow_t(size 24, al 64) = 0x40",
        (Op.MEMALIGN, 24, 6, 0, 1),
    ),
    "old new": ("__builtin_new(24) = 0x20", (Op.MALLOC, 24, 0, 0, 1)),
    "old new []": ("__builtin_vec_new(24) = 0x20", (Op.MALLOC, 24, 0, 0, 1)),
    "delete": ("_ZdlPv(0x10)", (Op.FREE, 0, 0, 0, 0)),
    "sized delete": ("_ZdlPvm(0x10)", (Op.FREE, 0, 0, 0, 0)),
    "delete []": ("_ZdaPv(0x10)", (Op.FREE, 0, 0, 0, 0)),
    "aligned sized delete": ("_ZdlPvmSt11align_val_t(0x10)", (Op.FREE, 0, 0, 0, 0)),
    "old delete": ("__builtin_delete(0x10)", (Op.FREE, 0, 0, 0, 0)),
    "malloc after a calloc that overflowed": (
        "calloc(1099511627776,1099511627776)malloc(24) = 0x20",
        (Op.MALLOC, 24, 0, 0, 1),
    ),
}

MARKS = {
    "plain": "--9-- ",
    "time": "--00:00:00:01.234 9-- ",
    "after output": "Name? --9-- ",
    "after dashes": "--1-2-- --9-- ",
    "after words": "two--three --9-- ",
}


@pytest.mark.parametrize("mark", MARKS.values(), ids=MARKS)
@pytest.mark.parametrize(("line", "event"), GOOD.values(), ids=GOOD)
def test_line_makes_its_event(mark: str, line: str, event: Event) -> None:
    events, trace = read_lines("valgrind", BEFORE, mark + line)
    assert events[1:] == [event]
    assert (trace.dropped, trace.notes) == ({}, [])


DROPPED = {
    "malloc that failed": ("malloc(18446744073709551615) = 0x0", "failed call"),
    "realloc that failed": ("realloc(0x10,4611686018427387903) = 0x0", "failed call"),
    "free of NULL": ("free(0x0)", "free of NULL"),
    "free of unknown": ("_ZdlPv(0x99)", "free of unknown"),
}


@pytest.mark.parametrize(("line", "reason"), DROPPED.values(), ids=DROPPED)
def test_line_is_dropped_under_its_reason(line: str, reason: str) -> None:
    assert first_event("valgrind", BEFORE, f"--9-- {line}") == (None, {reason: 1})


def test_end_of_a_realloc_to_nothing_is_no_call() -> None:
    events, trace = read_lines("valgrind", BEFORE, "--9-- realloc(0x10,0)free(0x10)", "--9--  = 0")
    assert [event[0] for event in events] == [Op.MALLOC, Op.FREE]
    assert trace.notes == []


FOREIGN = {
    "output": "hello",
    "report": "==9== Memcheck, a memory error detector",
    "chatter": "--9-- Reading syms from /usr/bin/ls",
    "another call": "--9-- malloc_usable_size(0x10) = 24",
    "no name": "--9-- (24) = 0x20",
    "name of a thousand letters": "--9-- " + "m" * 1000 + "(24) = 0x20",
    "no process": "---- malloc(24) = 0x20",
    "process in letters": "--me-- malloc(24) = 0x20",
    "process of 19 digits": "--1234567890123456789-- malloc(24) = 0x20",
    "dashes at the end": "--",
    "time without a process": "--00:00:00",
    "time that is too long": "--" + "00:" * 11 + "00 9-- malloc(24) = 0x20",
    "many beginnings of a time": "--1:" * 10_000,
}

UNREADABLE = {
    "aligned call that does not say its address": "--9-- posix_memalign(al 64, size 100)",
    "call without a result": "--9-- malloc(24)",
    "call with another result": "--9-- malloc(24) = 24",
    "call cut": "--9-- malloc(2",
    "negative size": "--9-- malloc(-24) = 0x20",
    "one factor": "--9-- calloc(3) = 0x20",
    "size without a number": "--9-- memalign(al 64, size ) = 0x40",
    "free without an address": "--9-- free()",
    "more after a call": "--9-- free(0x10) and more",
    "more after a result": "--9-- malloc(24) = 0x20 and more",
    "two processes in one line": "--9-- malloc(2--8-- malloc(24) = 0x20",
}
"""Calls that cannot be read."""


@pytest.mark.parametrize("line", FOREIGN.values(), ids=FOREIGN)
def test_other_line_is_skipped_and_counted(line: str) -> None:
    events, trace = read_lines("valgrind", BEFORE, line, "--9-- free(0x10)")
    assert [event[0] for event in events] == [Op.MALLOC, Op.FREE]
    assert trace.notes == ["skipped lines that are not in the format: 1"]


@pytest.mark.parametrize("line", UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable_call_is_counted_apart_from_other_lines(line: str) -> None:
    events, trace = read_lines("valgrind", BEFORE, line, "hello", "--9-- free(0x10)")
    assert [event[0] for event in events] == [Op.MALLOC, Op.FREE]
    skipped, dropped = trace.notes
    assert skipped == "skipped lines that are not in the format: 1"
    assert dropped.startswith("dropped calls that cannot be read (")
    assert dropped.endswith("): 1")
    assert trace.dropped == {"unreadable call": 1}


@pytest.mark.parametrize("length", [98, 99, 100, 101, 199, 1000])
def test_line_longer_than_a_block_is_skipped(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setattr(line_reader, "BLOCK", 100)
    events, trace = read_lines("valgrind", BEFORE, "x" * length, "--9-- free(0x10)")
    assert [event[0] for event in events] == [Op.MALLOC, Op.FREE]
    assert trace.notes == ["skipped lines that are not in the format: 1"]


@pytest.mark.parametrize(
    ("head", "is_it"),
    [
        (b"==1== Memcheck\n--1-- malloc(5) = 0x10\n", True),
        (b"out--1-- _ZdlPvm(0x10)\n", True),
        (b"--00:00:00:00.123 1-- free(0x0)\n", True),
        (b"==1== Memcheck\n", False),
        (b"--1-- Reading syms\n", False),
        (b"--1:" * 16_000, False),
        (b"--" + b"1:" * 32_000, False),
        (b"", False),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_format_is_detected_by_a_call(head: bytes, is_it: bool) -> None:
    assert valgrind.looks_like(head) is is_it
