"""Trace directories of LTTng: every kind of call, several streams, and damaged files."""

import random
from pathlib import Path
from typing import Any

import pytest

from allocsim.core.jit import PURE
from allocsim.events import Op, Trace
from allocsim.traces.readers.lttng_directory import DirectoryReader, DirectorySource, open_directory
from allocsim.traces.readers.lttng_metadata import read_layouts
from tests.traces.readers.lttng_directories import (
    CALLOC,
    FREE,
    MALLOC,
    MEMALIGN,
    METADATA,
    POSIX_MEMALIGN,
    REALLOC,
    Event,
    metadata_packets,
    packet,
    write_directory,
)
from tests.traces.recordings import events_of

SECOND = 10**9


def calls_of(place: Path) -> list[tuple[int, ...]]:
    """Return the calls of all processes in a directory, without call sites, which are all 0."""
    (metadata,) = place.rglob("metadata")
    layouts = read_layouts(metadata.read_bytes())
    assert layouts is not None
    reader = DirectoryReader(DirectorySource(metadata.parent), layouts)
    calls = [call.tolist() for batch in reader.batches() for call in batch]
    assert all(call[-1] == 0 for call in calls)
    return [call[:-1] for call in calls]


def opened(place: Path, process: int | None = None) -> tuple[Any, Trace]:
    """Return the events of a directory, and its trace."""
    trace = open_directory(place, process)
    assert trace is not None
    return events_of(trace), trace


def test_every_kind_of_call_is_read(tmp_path: Path) -> None:
    huge = (1 << 64) - 1
    events = [
        Event(10, 4, 5, MALLOC, (24, 0x1000)),
        Event(11, 4, 6, CALLOC, (3, 7, 0x2000)),
        Event(12, 4, 6, REALLOC, (0x2000, 99, 0x3000)),
        Event(13, 4, 5, MEMALIGN, (64, 128, 0x4000)),
        Event(14, 4, 5, POSIX_MEMALIGN, (0x5000, 32, 100, 0)),
        Event(15, 4, 5, POSIX_MEMALIGN, (0x5000, 3, 100, 22)),
        Event(16, 4, 5, FREE, (0x1000,)),
        Event(17, 4, 5, MALLOC, (huge, 0)),
        Event(18, 4, 5, CALLOC, (huge, 2, 0)),
    ]
    place = write_directory(tmp_path, [packet(events)])
    assert calls_of(place) == [
        (Op.MALLOC, 0x1000, 0, 24, 0, 5, 4),
        (Op.CALLOC, 0x2000, 0, 21, 0, 6, 4),
        (Op.REALLOC, 0x3000, 0x2000, 99, 0, 6, 4),
        (Op.MEMALIGN, 0x4000, 0, 128, 64, 5, 4),
        (Op.MEMALIGN, 0x5000, 0, 100, 32, 5, 4),
        (Op.MEMALIGN, 0, 0, 100, 3, 5, 4),
        (Op.FREE, 0x1000, 0, 0, 0, 5, 4),
        (Op.MALLOC, 0, 0, 1 << 62, 0, 5, 4),
        (Op.CALLOC, 0, 0, 1 << 62, 0, 5, 4),
    ]


@pytest.mark.parametrize("seed", range(4))
def test_streams_are_merged_in_the_order_of_time(tmp_path: Path, seed: int) -> None:
    chance, count = random.Random(seed), 200 if PURE else 5000
    step = chance.choice([3, SECOND, 3 * SECOND, 10 * SECOND])  # 2**32 ns are 4.3 s
    time, events = SECOND, []
    for number in range(count):
        time += chance.randint(1, step)
        events.append(Event(time, 1, 1, MALLOC, (number, 16 * (number + 1))))
    cpus: list[list[Event]] = [[] for _ in range(3)]
    for event in events:
        chance.choice(cpus).append(event)
    streams = [
        b"".join(packet(cpu[at : at + 70], at // 70) for at in range(0, len(cpu), 70))
        for cpu in cpus
    ]
    calls = calls_of(write_directory(tmp_path, streams))
    assert [call[3] for call in calls] == list(range(count))


def test_one_process_is_used(tmp_path: Path) -> None:
    one = packet([Event(1, 7, 7, MALLOC, (8, 0x10)), Event(3, 7, 8, FREE, (0x10,))])
    other = packet([Event(2, 9, 9, MALLOC, (16, 0x10))])
    place = write_directory(tmp_path, [one, b"", other])
    events, trace = opened(place, 7)
    assert events.op.tolist() == [Op.MALLOC, Op.FREE]
    assert events.thread.tolist() == [0, 1]
    assert (trace.processes, trace.losses) == ({9: 1}, [])


def test_progress_is_the_share_of_the_bytes(tmp_path: Path) -> None:
    place = write_directory(tmp_path, [packet([Event(1, 7, 7, MALLOC, (8, 0x10))])])
    trace = open_directory(place)
    assert trace is not None
    assert trace.progress() == 0
    assert sum(map(len, trace.chunks)) == 1


FIRST = packet([Event(1, 7, 7, MALLOC, (8, 0x10)), Event(2, 7, 7, MALLOC, (9, 0x20))], 0)
SECOND_PACKET = packet([Event(5, 7, 7, MALLOC, (10, 0x30))], 1)

DAMAGED: dict[str, tuple[bytes, int, str]] = {
    "packet is missing": (
        FIRST + packet([Event(9, 7, 7, FREE, (0x10,))], 4),
        3,
        "missing packets of events: 3",
    ),
    "events are discarded": (
        packet([Event(1, 7, 7, MALLOC, (8, 0x10))], 0, 12),
        1,
        "discarded 12 events",
    ),
    "cut in the events": (FIRST[:120], 1, "damaged packets of events: 1"),
    "cut in a header": (FIRST + SECOND_PACKET[:60], 2, "damaged packets of events: 1"),
    "cut after the events": (FIRST + SECOND_PACKET[:-100], 3, ""),
    "no packet": (FIRST + bytes(4096), 2, "damaged packets of events: 1"),
    "unknown event": (
        FIRST[:84] + b"\x09\x00" + FIRST[86:] + SECOND_PACKET,
        1,
        "damaged packets of events: 1",
    ),
    "size of the packet": (FIRST[:56] + b"\xff" * 8 + FIRST[64:], 0, "packets of events"),
}


@pytest.mark.parametrize(("content", "count", "loss"), DAMAGED.values(), ids=DAMAGED)
def test_what_is_missing_is_a_loss(tmp_path: Path, content: bytes, count: int, loss: str) -> None:
    events, trace = opened(write_directory(tmp_path, [content]))
    assert len(events) == count
    assert [loss in it for it in trace.losses] == ([True] if loss else [])


@pytest.mark.parametrize("seed", range(3))
def test_any_damage_is_read_without_a_crash(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    place = write_directory(tmp_path, [FIRST + SECOND_PACKET])
    (stream,) = place.rglob("heap_0")
    for _ in range(30 if PURE else 300):
        content = bytearray(FIRST + SECOND_PACKET)
        for _ in range(chance.randint(1, 8)):
            content[chance.randrange(200)] = chance.choice([0, 1, 255, chance.randrange(256)])
        stream.write_bytes(content[: chance.randint(1, len(content))])
        assert len(calls_of(place)) <= 8192 // 22  # the shortest event has 22 bytes


@pytest.mark.parametrize("size", [64, 256, 4096])
def test_metadata_may_have_packets_of_any_size(size: int) -> None:
    layouts = read_layouts(metadata_packets(METADATA, size))
    assert layouts is not None
    assert layouts.op.tolist() == [
        Op.MALLOC, Op.FREE, Op.CALLOC, Op.REALLOC, Op.MEMALIGN, Op.MEMALIGN,
    ]  # fmt: skip


def test_other_events_are_skipped(tmp_path: Path) -> None:
    place = write_directory(
        tmp_path,
        [packet([Event(1, 7, 7, FREE, (5,)), Event(2, 7, 7, MALLOC, (8, 0x10))])],
        METADATA.replace("lttng_ust_libc:free", "other:free"),
    )
    assert [call[0] for call in calls_of(place)] == [Op.MALLOC]


OTHER_LAYOUTS = {
    "byte order": ("byte_order = le", "byte_order = be"),
    "compact header": ("event.header := struct event_header_large", "event.header := struct x"),
    "alignment": ("integer { size = 64; align = 8;", "integer { size = 64; align = 64;"),
    "size of a field": (
        "{ size = 64; align = 8; signed = 0;",
        "{ size = 32; align = 8; signed = 0;",
    ),
    "odd size": ("{ size = 64; align = 8; signed = 0;", "{ size = 60; align = 8; signed = 0;"),
    "context": ("_vpid", "_procname"),
    "no events": ("event {", "element {"),
    "packet": ("uint32_t cpu_id;", "uint32_t cpu_id; uint32_t more;"),
}


@pytest.mark.parametrize(("old", "new"), OTHER_LAYOUTS.values(), ids=OTHER_LAYOUTS)
def test_other_layouts_are_left_to_babeltrace2(tmp_path: Path, old: str, new: str) -> None:
    assert old in METADATA
    place = write_directory(tmp_path, [FIRST], METADATA.replace(old, new))
    assert open_directory(place) is None


def test_two_directories_are_left_to_babeltrace2(tmp_path: Path) -> None:
    write_directory(tmp_path / "a", [FIRST])
    write_directory(tmp_path / "b", [FIRST])
    assert open_directory(tmp_path) is None


def test_damaged_metadata_is_no_layout() -> None:
    whole = metadata_packets(METADATA)
    assert read_layouts(b"") is read_layouts(whole[:50]) is read_layouts(bytes(9999)) is None
    assert read_layouts(whole[: len(whole) // 2]) is None
