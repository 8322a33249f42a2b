"""Reading the recording of a program that still runs gives the same calls as reading it later.

`traces.preload.layout` defines images, lanes, chunks and stamps.
"""

import random
import struct
import threading
from pathlib import Path

import numpy as np

from allocsim.traces.preload.growing import GrowingReader
from allocsim.traces.preload.images import Image, find_images
from allocsim.traces.preload.lane_files import count_used
from allocsim.traces.preload.layout import CHUNK, Code
from tests.traces.preload.writing import IDENTITY, Record, encoded, write_image

LATE = IDENTITY + (1 << 40)
"""A stamp that is later than all records."""

RECORD = 24
"""Length of a MALLOC record in bytes."""


def requests(reader: GrowingReader) -> list[int]:
    """Return the requests of the reader's next calls."""
    return [int(call.request) for batch in reader.batches() for call in batch.copy()]


def write_lane(directory: Path, number: int, records: list[Record], is_half: bool = False) -> None:
    """Write a lane; with `is_half`, its last record is reserved, but not written yet."""
    content = bytearray(encoded([(Code.BEGIN, 0, number << 32), *records]))
    if is_half:
        end = -(-len(content.rstrip(b"\0")) // 8) * 8
        unwritten = struct.pack("<3Q", 3 << 8 | Code.UNWRITTEN, 16, 0)
        content[end - RECORD : end] = unwritten
    path = directory / f"7-{IDENTITY:x}.{number:x}"
    path.touch()
    with path.open("r+b") as file:
        file.write(content)


def image_of(directory: Path) -> Image:
    """Return the only image in a directory."""
    (image,) = find_images(directory)
    return image


def test_growing_lanes_give_the_calls_of_the_whole_image(tmp_path: Path) -> None:
    """One lane grows beyond a chunk, and another one appears late."""
    chance = random.Random(1)
    lanes: list[list[Record]] = [[], [], []]
    for stamp in range(1, 6_500):
        chance.choices(lanes, (18, 1, 1))[0].append((Code.MALLOC, stamp, 16 * stamp, stamp))
    assert len(lanes[0]) * RECORD > CHUNK
    write_image(tmp_path)
    reader, found = GrowingReader(IDENTITY), list[int]()
    for share in (0.1, 0.5, 0.55, 1):
        lengths = [max(int(len(lane) * share), 1) for lane in lanes[: 2 if share < 0.5 else 3]]
        grown = [lane[:length] for lane, length in zip(lanes, lengths, strict=False)]
        for number, lane in enumerate(grown, 1):
            write_lane(tmp_path, number, lane, is_half=True)
        reader.look(image_of(tmp_path), LATE)
        for number, lane in enumerate(grown, 1):
            write_lane(tmp_path, number, lane)
        found += requests(reader)
    assert sorted(found) == [*range(1, 6_500)]


def test_last_record_is_read_later_if_its_thread_takes_long_to_write_it(tmp_path: Path) -> None:
    write_image(tmp_path)
    records: list[Record] = [(Code.MALLOC, stamp, 16 * stamp, stamp) for stamp in (1, 2)]
    write_lane(tmp_path, 1, records, is_half=True)
    reader = GrowingReader(IDENTITY)
    reader.look(image_of(tmp_path), LATE)
    assert requests(reader) == [1]
    write_lane(tmp_path, 1, records)
    reader.look(image_of(tmp_path), LATE)
    assert requests(reader) == [2]


def test_record_after_the_look_waits_for_earlier_ones(tmp_path: Path) -> None:
    """The record with stamp 25 is written late, but has to precede the one with stamp 30."""
    write_image(tmp_path)
    write_lane(tmp_path, 1, [(Code.MALLOC, 10, 0x100, 10), (Code.MALLOC, 30, 0x200, 30)])
    reader = GrowingReader(IDENTITY)
    reader.look(image_of(tmp_path), IDENTITY + 20)
    assert requests(reader) == [10]
    write_lane(tmp_path, 2, [(Code.MALLOC, 25, 0x300, 25)])
    reader.look(image_of(tmp_path), IDENTITY + 40)
    assert requests(reader) == [25, 30]


def test_words_may_change_while_they_are_counted() -> None:
    """A process that is still running writes into the file that is read."""
    words, is_read = np.zeros(CHUNK // 8, np.uint64), threading.Event()
    words[0] = 1

    def write() -> None:
        """Write and clear all words but the first, until the words were read often enough."""
        while not is_read.is_set():
            np.copyto(words[1:], 1)
            np.copyto(words[1:], 0)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        counts = [count_used(words) for _ in range(2000)]
    finally:
        is_read.set()
        writer.join()
    assert min(counts) >= 1
    assert max(counts) <= len(words)
