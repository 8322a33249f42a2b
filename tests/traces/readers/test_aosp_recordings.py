"""AOSP text, read in blocks, gives the same events as a simple reader.

Blocks and files may end anywhere.
"""

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
from allocsim.traces.scan import line_reader
from tests.conftest import REPOSITORY, SCALE
from tests.traces.recordings import (
    Event,
    Plain,
    assert_same,
    read,
    read_bytes,
    read_plainly,
    recordings,
)
from tests.traces.systemui import SYSTEMUI, needs_systemui

SQLITE = REPOSITORY / "workloads" / "sqlite-orders.txt.gz"


def varied(count: int, seed: int = 1) -> bytes:
    """A valid recording with lines of every length."""
    rng, live, lines = random.Random(seed), list[int](), list[str]()
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
def test_lines_across_blocks_are_complete(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    whole = varied(60 * SCALE)
    unsplit, _ = read_bytes(whole)
    monkeypatch.setattr(line_reader, "BLOCK", block)
    split, trace = read_bytes(whole)
    assert split == unsplit
    assert (len(split), trace.dropped, trace.notes) == (60 * SCALE, {}, [])


@pytest.mark.parametrize("extra", [-1, 0, 1])
@pytest.mark.parametrize("end", ["", "\n"], ids=["cut", "newline"])
@pytest.mark.parametrize("blocks", [1, 3])
def test_file_that_ends_with_a_block_is_complete(
    monkeypatch: pytest.MonkeyPatch, extra: int, end: str, blocks: int
) -> None:
    monkeypatch.setattr(line_reader, "BLOCK", 64)
    length = 64 * blocks + extra
    last = "1: malloc 0x10 1" + end
    before = length - len(last)
    count = before // len("1: free 0x10\n")
    digits = before - (count - 1) * len("1: free 0x10\n") - len("1: free 0x\n")
    whole = ("1: free 0x10\n" * (count - 1) + f"1: free 0x{'10'.zfill(digits)}\n{last}").encode()
    assert len(whole) == length
    plain = read_plainly(whole[: whole.rindex(b"\n")])
    events, trace = read_bytes(whole)
    assert_same(events, plain.events)
    assert any("has no newline" in loss for loss in trace.losses) == (end == "")


def test_line_as_long_as_a_block_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "1: malloc 0x0000000000001000 000000000000000024 1 2\n"
    monkeypatch.setattr(line_reader, "BLOCK", len(line))
    assert len(read_bytes(line.encode() * 3)[0]) == 5
    monkeypatch.setattr(line_reader, "BLOCK", len(line) - 1)
    with pytest.raises(TraceError, match="line 1: found '1: malloc 0x0000000000001000"):
        read_bytes(line.encode() * 3)


def test_error_after_many_blocks_has_the_line_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_reader, "BLOCK", 100)
    lines = varied(300).splitlines(keepends=True)
    lines[270] = b"1: broken\n"
    with pytest.raises(TraceError, match="line 271: found '1: broken'"):
        read_bytes(b"".join(lines))


def test_cut_line_after_many_blocks_has_the_line_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(line_reader, "BLOCK", 100)
    events, trace = read_bytes(varied(60) + b"1: brok")
    assert len(events) == 60
    assert trace.losses[0].startswith("line 61, the last, has no newline")


@given(recordings)
def test_events_are_those_of_the_plain_reader(recording: bytes) -> None:
    plain = read_plainly(recording)
    events, trace = read_bytes(recording)
    assert_same(events, plain.events)
    assert trace.dropped == plain.dropped


@given(recordings, st.integers(120, 300))
def test_events_do_not_depend_on_the_size_of_a_block(recording: bytes, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_reader, "BLOCK", block)
        events, trace = read_bytes(recording)
    plain = read_plainly(recording)
    assert_same(events, plain.events)
    assert trace.dropped == plain.dropped


@given(recordings, st.data())
def test_recording_cut_anywhere_is_read_up_to_its_last_complete_line(
    recording: bytes, data: st.DataObject
) -> None:
    first = recording.index(b"\n") + 1
    cut = recording[: data.draw(st.integers(first, len(recording)))]
    whole = read_plainly(cut[: cut.rindex(b"\n")])
    events, _ = read_bytes(cut)
    assert [e[:4] for e in events] == [e[:4] for e in whole.events]


def live_bytes(events: list[Event]) -> tuple[int, int, int]:
    """Peak live bytes, and live bytes and objects at the end."""
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
    """Events and dropped calls of Android's system UI, and the result of the simple reader."""
    with zipfile.ZipFile(SYSTEMUI) as archive:
        plain = read_plainly(archive.read("systemui.txt"))
    events, trace = read(SYSTEMUI)
    return events, trace.dropped, plain


@needs_systemui
@pytest.mark.skipif(PURE, reason="786,454 lines take minutes in pure mode")
def test_systemui_recording_is_read_as_the_plain_reader_does(
    systemui: tuple[list[Event], dict[str, int], Plain],
) -> None:
    events, dropped, plain = systemui
    assert_same(events, plain.events)
    assert dropped == plain.dropped


@needs_systemui
@pytest.mark.skipif(PURE, reason="786,454 lines take minutes in pure mode")
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
