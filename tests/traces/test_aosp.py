"""The reader of Android's text: each kind of line, each way to break one, and an obvious oracle."""

import gzip
import random
import zipfile
from collections import Counter
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocsim.core.jit import PURE
from allocsim.errors import TraceError
from allocsim.events import Op
from allocsim.traces import aosp, text
from tests.conftest import REPOSITORY, SCALE
from tests.traces.conftest import Recorded
from tests.traces.recordings import (
    Event,
    Plain,
    assert_same,
    read,
    read_bytes,
    read_plainly,
    recordings,
)
from tests.traces.test_text import reader_of

SQLITE = REPOSITORY / "workloads" / "sqlite-orders.txt.gz"
SYSTEMUI = REPOSITORY.parent / "shared" / "traces" / "systemui.zip"

BEFORE = "5: malloc 0x10 1\n"
"""A line that makes the object 0 of the thread 0."""

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
"""Lines behind BEFORE, with the event that each makes."""

good = pytest.mark.parametrize(("line", "event"), GOOD.values(), ids=GOOD)


@good
@pytest.mark.parametrize(
    "times",
    ["", " 1 2", " 1764021942000000000 18446744073709551615"],
    ids=["bare", "timed", "long"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", ""], ids=["newline", "crlf", "nothing"])
def test_line_makes_its_event(
    recorded: Recorded, line: str, event: Event, times: str, end: str
) -> None:
    events, trace = recorded(BEFORE + line + times + end)
    assert events == [(Op.MALLOC, 1, 0, 0, 0), event]
    assert (trace.dropped, trace.notes) == ({}, [])


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
    "failed call for more than can be": ("5: malloc 0x0 18446744073709551615", "failed call"),
    "failed realloc to more than can be": (
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
"""Lines behind BEFORE that make no event, with the reason; None: a number is too long."""

dropped_lines = {name: found for name, found in DROPPED.items() if found[1] is not None}


@pytest.mark.parametrize(("line", "reason"), dropped_lines.values(), ids=dropped_lines)
def test_line_is_dropped_under_its_reason(recorded: Recorded, line: str, reason: str) -> None:
    events, trace = recorded(f"{BEFORE}{line}\n5: free 0x10\n")
    assert events == [(Op.MALLOC, 1, 0, 0, 0), (Op.FREE, 0, 0, 0, 0)]
    assert trace.dropped == ({reason: 1} if reason else {})


BROKEN = {
    "no thread": "malloc 0x1000 24",
    "empty thread": ": malloc 0x1000 24",
    "thread in letters": "main: malloc 0x1000 24",
    "negative thread": "-7: malloc 0x1000 24",
    "thread of 19 digits": "1234567890123456789: malloc 0x1000 24",
    "no colon": "7 malloc 0x1000 24",
    "blank before the colon": "7 : malloc 0x1000 24",
    "no blank behind the colon": "7:malloc 0x1000 24",
    "two blanks": "7:  malloc 0x1000 24",
    "leading blank": " 7: malloc 0x1000 24",
    "thread alone": "7",
    "colon alone": "7:",
    "nothing behind the colon": "7: ",
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
    "blank behind times": "7: malloc 0x1000 24 1 2 ",
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
    with pytest.raises(TraceError) as refusal:
        recorded(f"{BEFORE}\n{line}{end}{BEFORE}")
    message = str(refusal.value)
    shown = line if len(line) < 80 else line[:80] + "…"
    mark = "\\r" if end == "\r\n" and len(line) < 80 else ""
    assert f"trace.txt, line 3: found '{shown}{mark}', expected TID: malloc|calloc|" in message


@broken
def test_broken_first_line_is_an_error_even_without_its_end(recorded: Recorded, line: str) -> None:
    with pytest.raises(TraceError, match=r"trace\.txt, line 1: found"):
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
    with pytest.raises(TraceError) as refusal:
        recorded(BEFORE.encode() + line + b"\n")
    assert shown in str(refusal.value)
    assert str(refusal.value).isprintable()


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


@pytest.mark.parametrize("end", ["1: mal", "1", "1: malloc 0x", "1: malloc 0x20 8 17"], ids=repr)
def test_cut_last_line_is_left_out_with_a_note(recorded: Recorded, end: str) -> None:
    events, trace = recorded(BEFORE + end)
    assert events == [(Op.MALLOC, 1, 0, 0, 0)]
    (note,) = trace.notes
    assert "line 2 is cut off" in note
    assert f"'{end}" in note


def test_last_line_that_is_cut_inside_a_number_is_read_as_it_is(recorded: Recorded) -> None:
    events, trace = recorded(BEFORE + "5: malloc 0x20 10")
    assert events[1] == (Op.MALLOC, 10, 0, 0, 1)
    assert trace.notes == []


def test_broken_last_line_with_its_end_is_an_error(recorded: Recorded) -> None:
    with pytest.raises(TraceError, match="line 2"):
        recorded(BEFORE + "1: mal\n")


def test_broken_line_before_a_cut_one_is_an_error(recorded: Recorded) -> None:
    with pytest.raises(TraceError, match="line 2"):
        recorded(BEFORE + "1: mal\n1: malloc 0x20 8\n1: mal")


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
    assert (events, trace.notes) == ([], ["no call of the recording reaches the heap"])


@pytest.mark.parametrize("seed", range(4))
def test_binary_file_is_an_error(recorded: Recorded, seed: int) -> None:
    noise = b"\x7fELF" + random.Random(seed).randbytes(3000)
    with pytest.raises(TraceError, match=r"trace\.txt, line 1: found '\\x7fELF"):
        recorded(noise)


def test_file_of_zeros_is_an_error(recorded: Recorded) -> None:
    with pytest.raises(TraceError, match="line 1"):
        recorded(bytes(text.BLOCK + 5000))


def test_line_longer_than_a_block_is_an_error(recorded: Recorded) -> None:
    with pytest.raises(TraceError, match="line 2: found '1: malloc 0x10 999"):
        recorded(BEFORE + "1: malloc 0x10 " + "9" * text.BLOCK + "\n")


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
def test_format_is_told_by_its_first_line(head: bytes, is_it: bool) -> None:
    assert aosp.looks_like(head) is is_it


def varied(count: int, seed: int = 1) -> bytes:
    """A sound recording of lines of every length."""
    rng, live, lines = random.Random(seed), [], []
    for number in range(1, count + 1):
        thread = rng.choice((1, 22, 333333))
        if live and rng.random() < 0.5:
            call = f"free {live.pop(rng.randrange(len(live))):#x}"
        else:
            live.append(rng.choice((number, number << 12, number << 40)))
            call = f"malloc {live[-1]:#x} {10 ** rng.randrange(10)}"
        times = " 123456789 123456999" * rng.randrange(2)
        lines.append(f"{thread}: {call}{times}{rng.choice(('', '', chr(13)))}\n")
    return "".join(lines).encode()


@pytest.mark.parametrize("block", [64, 65, 100, 127, 256, 1000, 4096])
def test_lines_that_straddle_blocks_are_read_whole(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    whole = varied(60 * SCALE)
    unsplit, _ = read_bytes(whole)
    monkeypatch.setattr(text, "BLOCK", block)
    split, trace = read_bytes(whole)
    assert split == unsplit
    assert (len(split), trace.dropped, trace.notes) == (60 * SCALE, {}, [])


@pytest.mark.parametrize("extra", [-1, 0, 1])
@pytest.mark.parametrize("end", ["", "\n"], ids=["cut", "newline"])
@pytest.mark.parametrize("blocks", [1, 3])
def test_file_that_ends_where_a_block_ends_is_read_whole(
    monkeypatch: pytest.MonkeyPatch, extra: int, end: str, blocks: int
) -> None:
    monkeypatch.setattr(text, "BLOCK", 64)
    length = 64 * blocks + extra
    last = "1: malloc 0x10 1" + end
    before = length - len(last)
    count = before // len("1: free 0x10\n")
    digits = before - (count - 1) * len("1: free 0x10\n") - len("1: free 0x\n")
    whole = ("1: free 0x10\n" * (count - 1) + f"1: free 0x{'10'.zfill(digits)}\n{last}").encode()
    assert len(whole) == length
    plain = read_plainly(whole)
    events, trace = read_bytes(whole)
    assert_same(events, plain.events)
    assert trace.notes == []


def test_line_as_long_as_a_block_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "1: malloc 0x0000000000001000 000000000000000024 1 2\n"
    monkeypatch.setattr(text, "BLOCK", len(line))
    assert len(read_bytes(line.encode() * 3)[0]) == 5
    monkeypatch.setattr(text, "BLOCK", len(line) - 1)
    with pytest.raises(TraceError, match="line 1: found '1: malloc 0x0000000000001000"):
        read_bytes(line.encode() * 3)


def test_broken_line_behind_many_blocks_is_named_by_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(text, "BLOCK", 100)
    lines = varied(300).splitlines(keepends=True)
    lines[270] = b"1: broken\n"
    with pytest.raises(TraceError, match="line 271: found '1: broken'"):
        read_bytes(b"".join(lines))


def test_cut_line_behind_many_blocks_is_noted_by_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(text, "BLOCK", 100)
    events, trace = read_bytes(varied(60) + b"1: brok")
    assert len(events) == 60
    assert "line 61 is cut off ('1: brok')" in trace.notes[0]


@given(recordings)
def test_events_are_those_of_the_plain_reader(recording: bytes) -> None:
    plain = read_plainly(recording)
    events, trace = read_bytes(recording)
    assert_same(events, plain.events)
    assert trace.dropped == plain.dropped


@given(recordings, st.integers(120, 300))
def test_events_do_not_depend_on_the_size_of_a_block(recording: bytes, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "BLOCK", block)
        events, trace = read_bytes(recording)
    plain = read_plainly(recording)
    assert_same(events, plain.events)
    assert trace.dropped == plain.dropped


@given(recordings, st.data())
def test_recording_that_is_cut_anywhere_is_read_up_to_its_last_whole_line(
    recording: bytes, data: st.DataObject
) -> None:
    first = recording.index(b"\n") + 1
    cut = recording[: data.draw(st.integers(first, len(recording)))]
    whole = read_plainly(cut[: cut.rindex(b"\n")])
    events, _ = read_bytes(cut)
    assert [e[:4] for e in events[: len(whole.events)]] == [e[:4] for e in whole.events]


def live_bytes(events: list[Event]) -> tuple[int, int, int]:
    """The most bytes that are live at once; bytes and objects that live at the end."""
    live: dict[int, int] = {}
    changes = []
    for op, request, _, _, number in events:
        if op == Op.THREAD_DONE:
            continue
        changes.append(request - live.pop(number, 0))
        if op != Op.FREE:
            live[number] = request
    return max(accumulate(changes)), sum(live.values()), len(live)


def test_sqlite_recording_is_read_as_the_plain_reader_does(tmp_path: Path) -> None:
    with gzip.open(SQLITE, "rb") as file:
        lines = file.readlines()[: 2000 if PURE else None]
    path = tmp_path / "sqlite.txt"
    path.write_bytes(b"".join(lines))
    plain = read_plainly(b"".join(lines))
    events, trace = read(path)
    assert_same(events, plain.events)
    assert trace.dropped == plain.dropped
    assert trace.notes == []


@pytest.mark.skipif(PURE, reason="82,875 lines take a minute in pure mode")
def test_sqlite_recording_has_the_known_totals() -> None:
    events, trace = read(SQLITE)
    ops = Counter(event[0] for event in events)
    assert trace.dropped == {"free of NULL": 158}
    assert ops[Op.MALLOC] == 39_778 + 3
    assert ops[Op.CALLOC] == 7
    assert ops[Op.REALLOC] == 3_164 - 3
    assert ops[Op.FREE] == 39_926 - 158
    assert ops[Op.MEMALIGN] == 0
    assert {event[3] for event in events} == set(range(11))
    assert live_bytes(events) == (4_934_307, 10_041, 20)


@pytest.fixture(scope="module")
def systemui() -> tuple[list[Event], dict[str, int], Plain]:
    """Android's system UI: events, what was dropped, and what the plain reader says."""
    if PURE:
        pytest.skip("786,454 lines take minutes in pure mode")
    if not SYSTEMUI.exists():
        pytest.skip(f"{SYSTEMUI} is not there")
    with zipfile.ZipFile(SYSTEMUI) as archive:
        plain = read_plainly(archive.read("systemui.txt"))
    events, trace = read(SYSTEMUI)
    return events, trace.dropped, plain


def test_systemui_recording_is_read_as_the_plain_reader_does(
    systemui: tuple[list[Event], dict[str, int], Plain],
) -> None:
    events, dropped, plain = systemui
    assert_same(events, plain.events)
    assert dropped == plain.dropped


def test_systemui_recording_has_the_known_totals(
    systemui: tuple[list[Event], dict[str, int], Plain],
) -> None:
    events, dropped, plain = systemui
    assert plain.lines == {
        "malloc": 383_154,
        "free": 364_863,
        "realloc": 29_167,
        "calloc": 7_847,
        "memalign": 1_066,
        "thread_done": 357,
    }
    assert dropped == {"free of NULL": 15_818}
    ops = Counter(event[0] for event in events)
    allocations = ops[Op.MALLOC] + ops[Op.CALLOC] + ops[Op.MEMALIGN]
    assert ops[Op.FREE] == 364_863 - 15_818
    assert allocations + ops[Op.REALLOC] == 383_154 + 7_847 + 1_066 + 29_167
    assert allocations - ops[Op.FREE] == 53_645
    assert {event[3] for event in events} == set(range(393))
