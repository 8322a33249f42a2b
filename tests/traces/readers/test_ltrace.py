"""The reader of ltrace: each call, unfinished calls, and dropped calls."""

import pytest

from allocsim.events import Op
from allocsim.traces.readers import ltrace
from tests.traces.lines import read_lines
from tests.traces.recordings import Event

BEFORE = "ls->malloc(1)                      = 0x10"

GOOD: dict[str, tuple[str, Event]] = {
    "malloc": ("malloc(24)          = 0x55eca71b62a0", (Op.MALLOC, 24, 0, 0, 1)),
    "malloc of nothing": ("malloc(0) = 0x20", (Op.MALLOC, 0, 0, 0, 1)),
    "calloc": ("calloc(3, 8) = 0x20", (Op.CALLOC, 24, 0, 0, 1)),
    "realloc": ("realloc(0x10, 24) = 0x20", (Op.REALLOC, 24, 0, 0, 0)),
    "realloc of NULL": ("realloc(0, 24) = 0x20", (Op.MALLOC, 24, 0, 0, 1)),
    "realloc to nothing": ("realloc(0x10, 0) = 0", (Op.FREE, 0, 0, 0, 0)),
    "reallocarray": ("reallocarray(0x10, 3, 8, 0x99) = 0x20", (Op.REALLOC, 24, 0, 0, 0)),
    "free": ("free(0x10) = <void>", (Op.FREE, 0, 0, 0, 0)),
    "cfree": ("cfree(0x10) = <void>", (Op.FREE, 0, 0, 0, 0)),
    "free that is lost": ("free(0x10 <no return ...>", (Op.FREE, 0, 0, 0, 0)),
    "memalign": ("memalign(64, 9, 0x5622, 1) = 0x40", (Op.MEMALIGN, 9, 6, 0, 1)),
    "aligned_alloc": ("aligned_alloc(64, 9, 0x10000, 4) = 0x40", (Op.MEMALIGN, 9, 6, 0, 1)),
    "valloc": ("valloc(9, 1, 2, 3) = 0x1000", (Op.MEMALIGN, 9, 12, 0, 1)),
}

HEADS = {
    "library": "libsqlite3.so.0->",
    "none": "",
    "time": "22:14:35.772411 ls->",
    "seconds": "1795558473.445173 ls->",
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize(("line", "event"), GOOD.values(), ids=GOOD)
def test_line_makes_its_event(head: str, line: str, event: Event) -> None:
    events, trace = read_lines("ltrace", BEFORE, head + line)
    assert events[1:] == [event]
    assert (trace.dropped, trace.notes) == ({}, [])


HOOKS = {
    "as in CS:APP": ("malloc(24) = 0x20", "free(0x20)"),
    "no blanks": ("malloc(24)=0x20", "free(0x20)"),
    "an arrow": ("malloc(24) -> 0x20", "free(0x20)"),
    "a double arrow": ("malloc(24) => 0x20", "free(0x20) "),
    "a colon": ("malloc(24): 0x20", "free(0x20)"),
    "a thread": ("[77] malloc(24) = 0x20", "[77] free(0x20)"),
    "a thread and a colon": ("77: malloc(24) = 0x20", "77: free(0x20)"),
    "void": ("calloc(1, 24) = 0x20", "free(0x20) = <void>"),
    "(nil)": ("realloc((nil), 24) = 0x20", "free(0x20)"),
}
"""Lines that malloc hooks write: an allocation of 24 bytes, and its free."""


@pytest.mark.parametrize(("allocation", "free"), HOOKS.values(), ids=HOOKS)
def test_log_of_a_malloc_hook_is_read(allocation: str, free: str) -> None:
    assert ltrace.looks_like(f"{allocation}\n{free}\n".encode())
    events, trace = read_lines("ltrace", allocation, free, free.replace("0x20", "(nil)"))
    assert [event[:2] for event in events] == [(events[0][0], 24), (Op.FREE, 0)]
    assert (trace.dropped, trace.notes) == ({"free of NULL": 1}, [])


def test_allocation_without_a_result_is_unreadable() -> None:
    _, trace = read_lines("ltrace", BEFORE, "malloc(24)", "malloc(24) = ", "malloc(24) = 0x2z")
    assert trace.dropped == {"unreadable call": 3}


def test_log_of_other_lines_is_not_valid() -> None:
    _, trace = read_lines("ltrace", BEFORE, "alloc 24", "release 0x10")
    assert trace.losses == [
        "more lines were skipped (2) than calls were read (1), so calls in an unknown form may be "
        "missing"
    ]


@pytest.mark.parametrize("who", ["{} ", "[pid {}] "])
def test_threads_are_distinguished(who: str) -> None:
    lines = [f"{who.format(thread)}ls->malloc(1) = {16 * thread:#x}" for thread in (7, 8, 7)]
    events, trace = read_lines("ltrace", *lines)
    assert [event[3] for event in events if event[0] == Op.MALLOC] == [0, 1, 0]
    assert trace.dropped == {"overlap": 1}


def test_unfinished_calls_are_resumed_by_thread() -> None:
    events, trace = read_lines(
        "ltrace",
        "1 ls->malloc(10 <unfinished ...>",
        "2 ls->malloc(20 <unfinished ...>",
        "1 <... malloc resumed> )               = 0x10",
        "2 <... malloc resumed> )               = 0x20",
    )
    assert events == [(Op.MALLOC, 10, 0, 0, 0), (Op.MALLOC, 20, 0, 1, 1)]
    assert trace.losses == []


def test_nested_calls_are_resumed_from_the_innermost() -> None:
    events, trace = read_lines(
        "ltrace",
        "ls->reallocarray(0, 100, 208, 0x99 <unfinished ...>",
        "ls->calloc(1, 8 <unfinished ...>",
        "<... calloc resumed> ) = 0x10",
        "libc.so.6->calloc(0, 20800)  = 0x20",
        "<... reallocarray resumed> ) = 0x20",
    )
    assert [event[:2] for event in events] == [(Op.CALLOC, 8), (Op.MALLOC, 20_800)]
    assert trace.notes == ["dropped calls inside libc, which ltrace misnames: 1"]


def test_free_is_done_as_it_begins() -> None:
    """Another thread may receive the address before the call returns."""
    events, trace = read_lines(
        "ltrace",
        "1 ls->malloc(10) = 0x10",
        "1 ls->free(0x10 <unfinished ...>",
        "2 ls->malloc(20) = 0x10",
        "1 <... free resumed> ) = <void>",
    )
    assert [event[0] for event in events] == [Op.MALLOC, Op.FREE, Op.MALLOC]
    assert (trace.dropped, trace.losses) == ({}, [])


def test_failed_call_is_dropped_under_its_reason() -> None:
    _, trace = read_lines("ltrace", "ls->malloc(18446744073709551615) = 0", BEFORE)
    assert trace.dropped == {"failed call": 1}


LEFT_OUT = {
    "posix_memalign": (
        ["ls->posix_memalign(0x7ffc, 256, 300, 61) = 0"],
        "dropped calls whose address ltrace does not print (posix_memalign): 1",
    ),
    "inside libc": (
        ["libc.so.6->calloc(0, 99) = 0x30"],
        "dropped calls inside libc, which ltrace misnames: 1",
    ),
    "no beginning": (
        ["<... malloc resumed> ) = 0x30"],
        "dropped calls whose beginning or end is missing: 1",
    ),
    "no end": (
        ["ls->malloc(5 <unfinished ...>"],
        "dropped calls whose beginning or end is missing: 1",
    ),
    "another end": (
        ["ls->malloc(5 <unfinished ...>", "<... calloc resumed> ) = 0x30"],
        "dropped calls whose beginning or end is missing: 2",
    ),
    "too deep": (
        ["ls->malloc(5 <unfinished ...>"] * (ltrace.MAX_UNFINISHED + 2),
        f"dropped calls whose beginning or end is missing: {ltrace.MAX_UNFINISHED + 2}",
    ),
    "many threads, one after the other": (
        [
            line
            for thread in range(2 * ltrace.MAX_THREADS)
            for line in (
                f"{thread} ls->malloc(5 <unfinished ...>",
                f"{thread} <... malloc resumed> ) = 0",
            )
        ],
        None,
    ),
    "too many threads": (
        [f"{thread} ls->malloc(5 <unfinished ...>" for thread in range(ltrace.MAX_THREADS + 9)],
        f"dropped calls whose beginning or end is missing: {ltrace.MAX_THREADS + 9:,}",
    ),
    "output": (["hello"], "skipped lines that are not in the format: 1"),
    "negative size": (["ls->malloc(-1) = 0x20"], "dropped calls that cannot be read: 1"),
    "one argument": (["ls->calloc(1) = 0x20"], "dropped calls that cannot be read: 1"),
    "no argument": (["ls->malloc() = 0x20"], "dropped calls that cannot be read: 1"),
    "letters": (["ls->malloc(lots) = 0x20"], "dropped calls that cannot be read: 1"),
    "a string": (['ls->malloc("(") = 0x20'], "dropped calls that cannot be read: 1"),
    "size of 1,000 digits": (
        [f"ls->malloc({'9' * 1000}) = 0x20"],
        "dropped calls that cannot be read: 1",
    ),
    "exit": (["123 +++ exited (status 0) +++"], None),
    "signal": (["--- SIGCHLD (Child exited) ---"], None),
    "another function": (['ls->strlen("x") = 1'], None),
}


@pytest.mark.parametrize(("lines", "note"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_line_is_dropped_with_a_note(lines: list[str], note: str | None) -> None:
    events, trace = read_lines("ltrace", BEFORE, *lines)
    assert len(events) == 1
    found = [text for text in trace.notes if "taken for threads" not in text]
    assert found == ([note] if note else [])
    lost = note is not None and note.startswith("dropped") and "libc" not in note
    assert ("unreadable call" in trace.dropped) == lost


@pytest.mark.parametrize(
    ("head", "is_it"),
    [
        (b"ls->malloc(472)  = 0x55eca71b62a0\n", True),
        (b"total 20\n[pid 7] ls->malloc(10 <unfinished ...>\n", True),
        (b"11457 22:14:35.772411 sh->malloc(32)  = 0x55cc13ab32a0\n", True),
        (b"p = malloc(10) = 0x10\n", False),
        (b"--1-- malloc(5) = 0x10\n", False),
        (b"", False),
    ],
    ids=repr,
)
def test_format_is_detected_by_a_call(head: bytes, is_it: bool) -> None:
    assert ltrace.looks_like(head) is is_it
