"""The two files of a lane: one has the last chunk, the other has all earlier chunks.

The file of the last chunk is the window. When the window is full, the recorder appends its chunk to
the other file, then clears the window (see `lane_files`).
"""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from allocsim.traces.preload.growing import GrowingReader
from allocsim.traces.preload.images import Image, find_images
from allocsim.traces.preload.lane_files import lane_words, window_of
from allocsim.traces.preload.layout import CHUNK, Code
from allocsim.traces.preload.reader import ImageReader
from tests.traces.preload.writing import IDENTITY, Record, encoded, write_image, write_window

LATE = IDENTITY + (1 << 40)
"""A stamp that is later than all records."""

RECORDS: list[Record] = [(Code.MALLOC, stamp, 16 * stamp, stamp) for stamp in range(1, 11_500)]
"""Records that need three chunks."""


def chunks_of(count: int) -> list[bytes]:
    """Return the chunks of a lane that begins a thread and has the first `count` of RECORDS."""
    content = encoded([(Code.BEGIN, 0, 1 << 32), *RECORDS[:count]])
    return [content[start : start + CHUNK] for start in range(0, len(content), CHUNK)]


def write_lane(directory: Path, count: int, state: str = "window") -> Image:
    """Write a lane as the recorder does; `state` says where the last chunk is.

    A window ends with the number of chunks before it. "window": the last chunk is only in the
    window. "copied": the other file has the chunk too. "cleared": only the other file has the
    chunk; the window is zero except for the old number. "next": as "cleared", but the window has
    the new number.
    """
    image = write_image(directory)
    chunks, lane = chunks_of(count), directory / f"7-{IDENTITY:x}.1"
    before = len(chunks) - 1
    in_file = chunks[:before] if state == "window" else chunks
    if in_file:
        lane.write_bytes(b"".join(in_file))
    empty = state in ("cleared", "next")
    write_window(lane, bytes(CHUNK) if empty else chunks[-1], before + (state == "next"))
    (image,) = find_images(directory)
    return image


def requests(reader: ImageReader | GrowingReader) -> list[int]:
    """Return the requests of the reader's next calls."""
    return [int(call.request) for batch in reader.batches() for call in batch.copy()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "state"),
    [*product((1, 5_000, 11_499), ("window", "copied", "cleared", "next"))],
)
def test_each_record_is_read_once(tmp_path: Path, count: int, state: str) -> None:
    """A process may be killed in any of these states."""
    image = write_lane(tmp_path, count, state)
    header = image.header.copy()
    header["chunks"] = len(chunks_of(count)) + (state == "next")
    reader = ImageReader(image._replace(header=header))
    assert reader.share_read == 0
    assert requests(reader) == [*range(1, count + 1)]
    assert (reader.missing, reader.damaged, reader.share_read) == (0, 0, 1)


def test_chunk_that_is_written_in_part_is_read_from_the_window(tmp_path: Path) -> None:
    image = write_lane(tmp_path, 5_000)
    with image.lanes[0].open("ab") as file:
        file.write(bytes(1000))
    assert requests(ImageReader(image)) == [*range(1, 5_001)]


def test_chunks_that_are_missing_before_the_window_are_counted(tmp_path: Path) -> None:
    image = write_lane(tmp_path, 11_499)
    image.lanes[0].write_bytes(image.lanes[0].read_bytes()[:CHUNK])
    header = image.header.copy()
    header["chunks"] = 3
    reader = ImageReader(image._replace(header=header))
    found = requests(reader)
    assert reader.missing == 1
    assert found[0] == 1
    assert found[-1] == 11_499


def test_window_without_its_number_is_ignored(tmp_path: Path) -> None:
    """The program ended, or the disk was full, while the recorder filled the window with zeros."""
    image = write_lane(tmp_path, 1)
    window_of(image.lanes[0]).write_bytes(bytes(CHUNK - 8))
    assert not lane_words(image.lanes[0]).has_window
    assert requests(ImageReader(image)) == []


def test_last_words_of_a_record_may_be_zero(tmp_path: Path) -> None:
    image = write_image(tmp_path)
    lane = tmp_path / f"7-{IDENTITY:x}.1"
    write_window(lane, encoded([(Code.BEGIN, 0, 1 << 32), (Code.MALLOC, 1, 16, 0)]), 0)
    (image,) = find_images(tmp_path)
    assert requests(ImageReader(image)) == [0]
    assert len(lane_words(lane).window) > lane_words(lane).used


@pytest.mark.slow
@pytest.mark.parametrize("found_in", ["window", "next"])
@pytest.mark.parametrize("read_in", ["window", "copied", "cleared", "next"])
def test_growing_lane_is_read_once(tmp_path: Path, found_in: str, read_in: str) -> None:
    """The state may change between `look`, which finds the end, and the reading up to that end."""
    reader, found = GrowingReader(IDENTITY), list[int]()
    write_image(tmp_path)
    for count in (100, 4_000, 5_400, 10_950, 11_499):
        reader.look(write_lane(tmp_path, count, found_in), LATE)
        write_lane(tmp_path, count, read_in)
        found += requests(reader)
    assert found == [*range(1, 11_500)]


def test_words_of_a_lane_without_files_are_none(tmp_path: Path) -> None:
    words = lane_words(tmp_path / "7-1.1")
    assert [len(words.chunks), len(words.window), words.used, words.number] == [0, 0, 0, 0]
    assert words.chunks.dtype == np.uint64
