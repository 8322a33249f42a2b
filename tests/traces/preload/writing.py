"""Recordings written word by word, in the format of the recorder `preload`.

An image is a process until it calls exec. A lane is a file with records of an image. A stamp is the
time of a recorded call (see `traces.preload.layout`).
"""

import struct
from pathlib import Path

import numpy as np

from allocsim.traces.preload.images import HEADER, MAGIC, VERSION, Image, find_images
from allocsim.traces.preload.lane_files import window_of
from allocsim.traces.preload.layout import CHUNK, SLACK, Code
from allocsim.traces.preload.record_fields import words_of

IDENTITY = 1000
"""Stamp of an image's first call, which is also in the names of the image's files."""

Record = tuple[int, int, int, int, int] | tuple[int, int, int, int] | tuple[int, int, int]
"""A record: its code, its stamp relative to IDENTITY, and its other words."""


def write_image(
    directory: Path,
    *lanes: list[Record],
    process: int = 7,
    parent: int = 0,
    identity: int = IDENTITY,
) -> Image:
    """Write an image with these lanes, numbered from 1. Lane N begins with a BEGIN of thread N."""
    header = np.zeros(1, HEADER)
    header["magic"], header["version"] = MAGIC, VERSION
    header["process"], header["identity"], header["parent"] = process, identity, parent
    header["forked"] = parent and identity
    header["program"] = b"/bin/program"
    name = f"{process:x}-{identity:x}"
    (directory / name).write_bytes(header.tobytes().ljust(4096, b"\0"))
    for number, records in enumerate(lanes):
        begin: Record = (Code.BEGIN, 0, number + 1 << 32)
        (directory / f"{name}.{number + 1:x}").write_bytes(encoded([begin, *records], identity))
    (image,) = [image for image in find_images(directory) if image.identity == identity]
    return image


def write_window(lane: Path, chunk: bytes, before: int) -> None:
    """Write the window of a lane: its last chunk, which ends with the number of earlier chunks."""
    window_of(lane).write_bytes(chunk[:-8] + before.to_bytes(8, "little"))


def encoded(records: list[Record], identity: int = IDENTITY) -> bytes:
    """Return the records as the contents of a lane's file."""
    chunks = [b""]
    for code, stamp, *words in records:
        head = (stamp + identity & (1 << 56) - 1) << 8 | code
        record = struct.pack(f"<{1 + len(words)}Q", head, *words)
        assert len(record) == 8 * words_of(code)
        if len(chunks[-1]) + len(record) > CHUNK - SLACK:
            chunks.append(b"")
        chunks[-1] += record
    return b"".join(chunk.ljust(CHUNK, b"\0") for chunk in chunks)
