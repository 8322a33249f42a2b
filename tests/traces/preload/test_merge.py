"""Merging the lanes of a program image by stamp (see `preload.layout` for these terms)."""

import random
import struct
from pathlib import Path

import pytest

from allocsim.events import Op
from allocsim.traces.preload.images import Image
from allocsim.traces.preload.layout import CHUNK, SHORT, SMALL, WITH_SITE, Code
from allocsim.traces.preload.reader import ImageReader
from allocsim.traces.preload.trace import open_image
from tests.traces.preload.writing import IDENTITY, Record, encoded, write_image

Row = tuple[int, ...]


def events_of(directory: Path, *lanes: list[Record]) -> list[Row]:
    """Return operation, object, request and thread of each event."""
    image = write_image(directory, *lanes)
    trace = open_image(image, [image], 1.0)
    return [
        (event.op, event.object, event.request, event.thread)
        for chunk in trace.chunks
        for event in chunk.copy()
    ]


@pytest.mark.parametrize("seed", range(5))
def test_lanes_come_in_the_order_of_their_stamps(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    lanes: list[list[Record]] = [[] for _ in range(chance.randrange(1, 9))]
    for stamp in range(1, 400):
        address = 16 * stamp
        chance.choice(lanes).append((Code.MALLOC, stamp, address, stamp))
    reader = ImageReader(write_image(tmp_path, *lanes))
    calls = [call for batch in reader.batches() for call in batch.copy()]
    assert [call.request for call in calls] == [*range(1, 400)], f"seed {seed}"
    for call in calls:
        lane = lanes[call.thread - 1]
        assert any(record[1] == call.request for record in lane), f"seed {seed}"


def test_call_has_the_number_of_its_stack(tmp_path: Path) -> None:
    """A realloc has two records, the first with the stack. Another thread's call comes between."""
    one: list[Record] = [
        (Code.MALLOC | WITH_SITE, 1, 0x100, 10, 7),
        (Code.REALLOC | WITH_SITE, 2, 0x100, 20, 8),
        (Code.RESIZED, 4, 0x200),
        (Code.CALLOC, 5, 0x300, 30),
        (Code.FREE, 6, 0x300),
        (Code.REALLOC_NULL | WITH_SITE, 7, 0x400, 40, 9),
    ]
    other: list[Record] = [(Code.MALLOC | WITH_SITE, 3, 0x100, 50, 1)]
    reader = ImageReader(write_image(tmp_path, one, other))
    calls = [call for batch in reader.batches() for call in batch.copy() if call.request]
    assert [(call.request, call.site) for call in calls] == [
        *((10, 7), (50, 1), (20, 8), (30, 0), (40, 9))
    ]
    assert reader.calls_by_kind == {"malloc": 2, "calloc": 1, "realloc": 2, "free": 1}


@pytest.mark.parametrize("number", [1 << 24, (1 << 32) - 1, 1 << 32, (1 << 64) - 1])
def test_impossible_number_of_a_stack_is_unknown(tmp_path: Path, number: int) -> None:
    """The program may have overwritten the number. A table has fewer than MAX_NODES stacks."""
    lane: list[Record] = [(Code.MALLOC | WITH_SITE, 1, 0x100, 10, number)]
    reader = ImageReader(write_image(tmp_path, lane))
    assert [call.site for batch in reader.batches() for call in batch] == [0]


def test_alignment_in_the_record_of_a_calloc_is_ignored(tmp_path: Path) -> None:
    """The program may have overwritten the record. A calloc with an alignment is no valid event."""
    lane: list[Record] = [(code, 1, 0x100 | 5 << 56, 10) for code in (Code.CALLOC, Code.MEMALIGN)]
    reader = ImageReader(write_image(tmp_path, lane))
    calls = [call for batch in reader.batches() for call in batch.copy()]
    assert [(call.op, call.alignment) for call in calls] == [(Op.CALLOC, 0), (Op.MEMALIGN, 32)]


def test_realloc_is_one_event(tmp_path: Path) -> None:
    lane: list[Record] = [
        (Code.MALLOC, 1, 0x100, 10),
        (Code.REALLOC, 2, 0x100, 20),
        (Code.RESIZED, 3, 0x200),
        (Code.FREE, 4, 0x200),
    ]
    assert events_of(tmp_path, lane) == [
        (Op.MALLOC, 0, 10, 0),
        (Op.REALLOC, 0, 20, 0),
        (Op.FREE, 0, 0, 0),
    ]


def test_old_address_of_a_realloc_may_be_used_before_it_ends(tmp_path: Path) -> None:
    """Thread 2 gets the old address before thread 1's realloc returns, and resizes that block."""
    one: list[Record] = [
        (Code.MALLOC, 1, 0x100, 10),
        (Code.REALLOC, 2, 0x100, 20),
        (Code.RESIZED, 9, 0x200),
    ]
    two: list[Record] = [
        (Code.MALLOC, 3, 0x100, 30),
        (Code.REALLOC, 4, 0x100, 40),
        (Code.RESIZED, 8, 0x300),
        (Code.FREE, 10, 0x200),
        (Code.FREE, 11, 0x300),
    ]
    assert events_of(tmp_path, one, two) == [
        (Op.MALLOC, 0, 10, 0),
        (Op.MALLOC, 1, 30, 1),
        (Op.REALLOC, 1, 40, 1),
        (Op.REALLOC, 0, 20, 0),
        (Op.FREE, 0, 0, 1),
        (Op.FREE, 1, 0, 1),
    ]


def test_small_record_has_address_and_size_in_one_word(tmp_path: Path) -> None:
    """The largest size and the highest address of such a record. The site is the last word."""
    size, address = 0xFFFF, (1 << 48) - 16
    lane: list[Record] = [
        (Code.MALLOC | SMALL, 1, size << 48 | address),
        (Code.REALLOC | SMALL, 2, 300 << 48 | address),
        (Code.RESIZED, 3, 0x200),
        (Code.CALLOC | SMALL, 4, 77 << 48 | address),
        (Code.FREE, 5, address),
        (Code.FREE, 6, 0x200),
    ]
    assert events_of(tmp_path, lane) == [
        (Op.MALLOC, 0, size, 0),
        (Op.REALLOC, 0, 300, 0),
        (Op.CALLOC, 1, 77, 0),
        (Op.FREE, 1, 0, 0),
        (Op.FREE, 0, 0, 0),
    ]


def _short(code: int, stamp: int, units: int, size: int = 0) -> bytes:
    """Return a SHORT record. Stamp and address (in units of 16 bytes) are relative to the base."""
    word = size << 50 | units << 22 | stamp << 6 | SHORT | code
    return word.to_bytes(8, "little")


def test_short_record_counts_from_the_last_base(tmp_path: Path) -> None:
    """The first record has the largest stamp, address and size that fit."""
    image = write_image(tmp_path, [])
    first, second = (
        struct.pack("<3Q", IDENTITY + stamp << 8 | Code.BASE, address, 0)[:16]
        for stamp, address in ((10, 0x1000), (1 << 17, 0x2000))
    )
    highest = (1 << 28) - 1
    lane = (
        encoded([(Code.BEGIN, 0, 1 << 32)])[:16],
        *(first, _short(Code.MALLOC, 0xFFFF, highest, 0x3FFF)),
        *(second, _short(Code.REALLOC, 0, highest - 0x100, 0), _short(Code.RESIZED, 1, 2)),
        *(bytes(8), _short(Code.CALLOC, 2, 1, 5), _short(Code.FREE, 3, 2)),
        encoded([(Code.FREE, (1 << 17) + 4, 0x2010)])[:16],
    )
    image.lanes[0].write_bytes(b"".join(lane).ljust(CHUNK, b"\0"))
    reader = ImageReader(image)
    calls = [call for batch in reader.batches() for call in batch.copy()]
    assert [(call.op, call.old, call.address, call.request) for call in calls] == [
        (Op.MALLOC, 0, 0x1000 + 16 * highest, 0x3FFF),
        (Op.REALLOC, 0x1000 + 16 * highest, 0x2020, 0),
        (Op.CALLOC, 0, 0x2010, 5),
        (Op.FREE, 0, 0x2020, 0),
        (Op.FREE, 0, 0x2010, 0),
    ]
    assert reader.damaged == 0


def test_short_records_of_two_lanes_are_in_the_order_of_their_stamps(tmp_path: Path) -> None:
    """A lane's base does not affect the other lane. A stamp may be earlier than the one before."""
    image = write_image(tmp_path, [], [])
    for number, (lane, stamp) in enumerate(zip(image.lanes, (100, 103), strict=True)):
        base = struct.pack("<2Q", IDENTITY + stamp << 8 | Code.BASE, 0x100 << number)
        shorts = [_short(Code.MALLOC, at, at, 100 * number + at) for at in (1, 5, 4, 9)]
        begin = encoded([(Code.BEGIN, number, number + 1 << 32)])[:16]
        lane.write_bytes((begin + base + b"".join(shorts)).ljust(CHUNK, b"\0"))
    calls = [call for batch in ImageReader(image).batches() for call in batch.copy()]
    assert [call.request for call in calls] == [1, 101, 5, 4, 105, 104, 9, 109]
    assert [call.address for call in calls[:2]] == [0x110, 0x210]


@pytest.mark.parametrize("code", [0, Code.BEGIN, Code.BASE, 31, Code.FREE])
def test_only_a_call_after_a_base_has_a_short_record(tmp_path: Path, code: int) -> None:
    image = write_image(tmp_path, [(Code.MALLOC, 1, 0x100, 10), (Code.FREE, 2, 0x100)])
    content = bytearray(image.lanes[0].read_bytes())
    content[40] = code | SHORT
    image.lanes[0].write_bytes(content)
    assert _read(image).damaged == 1


@pytest.mark.parametrize("code", [0, Code.RESIZED, Code.FREE, Code.BEGIN, Code.TOUCHED])
def test_only_a_record_with_a_size_is_small(tmp_path: Path, code: int) -> None:
    image = write_image(tmp_path, [(Code.MALLOC, 1, 0x100, 10), (Code.FREE, 2, 0x100)])
    content = bytearray(image.lanes[0].read_bytes())
    content[40] = code | SMALL
    image.lanes[0].write_bytes(content)
    assert _read(image).damaged == 1


def test_failed_realloc_keeps_its_object(tmp_path: Path) -> None:
    one: list[Record] = [
        (Code.MALLOC, 1, 0x100, 10),
        (Code.REALLOC, 2, 0x100, 1 << 63),
        (Code.RESIZED, 4, 0),
        (Code.FREE, 5, 0x100),
    ]
    two: list[Record] = [(Code.MALLOC, 3, 0x200, 7)]
    assert [event[0] for event in events_of(tmp_path, one, two)] == [Op.MALLOC, Op.MALLOC, Op.FREE]


def test_unfinished_record_is_passed_over(tmp_path: Path) -> None:
    """If a signal handler leaves the recorder by longjmp, a record has UNWRITTEN and zeros."""
    image = write_image(tmp_path, [])
    rest = encoded([(Code.MALLOC, 5, 0x100, 10)])
    hole = struct.pack("<4Q", 3 << 8 | Code.UNWRITTEN, 0x1234567, 99, 0)
    begin = encoded([(Code.BEGIN, 0, 1 << 32)])[:16]
    lane = (begin + hole + bytes(24) + rest[:24]).ljust(CHUNK, b"\0")
    image.lanes[0].write_bytes(lane)
    reader = ImageReader(image)
    assert [call.request for batch in reader.batches() for call in batch] == [10]
    assert reader.damaged == 0


@pytest.mark.parametrize(("words", "damaged"), [(16, 0), (17, 1)])
def test_zeros_in_place_of_records_are_damage(tmp_path: Path, words: int, damaged: int) -> None:
    """A signal handler leaves at most 16 words of zeros. The records after the zeros are read."""
    image = write_image(tmp_path, [])
    begin = encoded([(Code.BEGIN, 0, 1 << 32)])[:16]
    rest = encoded([(Code.MALLOC, 5, 0x100, 10)])[:24]
    image.lanes[0].write_bytes((begin + bytes(8 * words) + rest).ljust(CHUNK, b"\0"))
    reader = ImageReader(image)
    assert [call.request for batch in reader.batches() for call in batch] == [10]
    assert reader.damaged == damaged


def test_chunk_of_zeros_is_damage(tmp_path: Path) -> None:
    image = write_image(
        tmp_path, [(Code.MALLOC, stamp, 16 * stamp, 9) for stamp in range(1, 11_000)]
    )
    content = image.lanes[0].read_bytes()
    assert len(content) == 3 * CHUNK
    assert _read(image).damaged == 0
    image.lanes[0].write_bytes(content[:CHUNK] + bytes(CHUNK) + content[2 * CHUNK :])
    assert _read(image).damaged == 1


@pytest.mark.slow
@pytest.mark.parametrize("length", [CHUNK, 2 * CHUNK - 8, 0])
def test_chunks_that_are_cut_off_are_missing(tmp_path: Path, length: int) -> None:
    """The header has the number of chunks of all lanes."""
    image = write_image(
        tmp_path, [(Code.MALLOC, stamp, 16 * stamp, 9) for stamp in range(1, 7_000)]
    )
    content = image.lanes[0].read_bytes()
    header = image.header.copy()
    header["chunks"] = len(content) // CHUNK
    image = image._replace(header=header)
    assert _read(image).missing == 0
    image.lanes[0].write_bytes(content[:length])
    missing = len(content) // CHUNK - length // CHUNK
    assert _read(image).missing == missing
    trace = open_image(image, [image], 1.0)
    assert sum(map(len, trace.chunks)) < 7_000
    assert trace.losses == [
        f"up to {128 * missing}.0 KiB of the recording was cut off or overwritten"
    ]


def test_empty_chunk_after_the_last_record_is_no_loss(tmp_path: Path) -> None:
    """The program was killed before it wrote the chunk's first record."""
    image = write_image(tmp_path, [(Code.MALLOC, 5, 0x100, 10)])
    content = image.lanes[0].read_bytes()
    header = image.header.copy()
    header["chunks"] = 2
    image = image._replace(header=header)
    assert _read(image).missing == 1
    image.lanes[0].write_bytes(content + bytes(CHUNK))
    assert _read(image).missing == 0


def _read(image: Image) -> ImageReader:
    """Return a reader that has read all calls of an image."""
    reader = ImageReader(image)
    for _ in reader.batches():
        pass
    return reader


def test_overwritten_lane_ends_there_and_is_noted(tmp_path: Path) -> None:
    image = write_image(tmp_path, [(Code.MALLOC, 5, 0x100, 10)])
    content = bytearray(image.lanes[0].read_bytes())
    content[40:48] = b"scribble"
    image.lanes[0].write_bytes(content)
    trace = open_image(image, [image], 1.0)
    assert sum(len(chunk) for chunk in trace.chunks) == 1
    assert trace.losses == ["the program has overwritten a part of the recording"]


def test_long_lane_has_several_chunks(tmp_path: Path) -> None:
    lane: list[Record] = [(Code.MALLOC, 1 + i, 16 * i + 16, i) for i in range(6000)]
    reader = ImageReader(write_image(tmp_path, lane))
    assert len(reader.image.lanes[0].read_bytes()) == 2 * CHUNK
    assert sum(len(batch) for batch in reader.batches()) == 6000


def test_child_begins_with_the_objects_of_its_parent_at_the_fork(tmp_path: Path) -> None:
    """The parent's calls after the fork are not part of the child."""
    parent = write_image(
        tmp_path,
        [
            (Code.MALLOC, 1, 0x100, 10),
            (Code.ALIGNED_ALLOC, 2, 6 << 56 | 0x200, 20),
            (Code.FREE, 3, 0x100),
            (Code.MALLOC, 4, 0x300, 30),
            (Code.FREE, 900, 0x200),
        ],
    )
    child = write_image(
        tmp_path, [(Code.FREE, 1, 0x300)], process=8, parent=IDENTITY, identity=IDENTITY + 500
    )
    trace = open_image(child, [parent, child], 1.0)
    rows = [event.tolist() for chunk in trace.chunks for event in chunk.copy()]
    assert rows == [(30, 0, 0, Op.MALLOC, 0), (20, 1, 0, Op.MEMALIGN, 6), (0, 0, 0, Op.FREE, 0)]
    assert trace.inherited == 2


def test_times_are_those_of_the_stamps(tmp_path: Path) -> None:
    image = write_image(tmp_path, [(Code.MALLOC, 100 * i, 16 * i, 1) for i in range(1, 200)])
    trace = open_image(image, [image], 2.0)
    assert sum(len(chunk) for chunk in trace.chunks) == 199
    times = trace.description["times"]
    assert all(time == 200 * (event + 1) for event, time in times[1:])
