"""Damaged recordings of the recorder `preload`. A recorded program can overwrite their files.

See `allocsim.traces.preload.layout` for program images and lanes.
"""

import random
import shutil
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from allocsim.traces.native.file import write_trace
from allocsim.traces.preload.images import find_images
from allocsim.traces.preload.lane_files import window_of
from allocsim.traces.preload.layout import CHUNK, SLACK, SMALL, WITH_SITE, Code
from allocsim.traces.preload.stacks import Kind
from allocsim.traces.preload.trace import open_image
from tests.traces.preload.writing import IDENTITY, Record, encoded, write_image, write_window

STACKS = 6
RECORDS = 60
NUMBERS = (0, 1, -1, 255, 1 << 31, (1 << 32) - 1, 1 << 40, (1 << 56) - 1, 1 << 58, (1 << 63) - 1)


def write_damaged(directory: Path, rng: random.Random) -> None:
    """Write a recording of a program and its forked child into a new directory, and damage it."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    parent = write_image(directory, _lane(rng), _lane(rng))
    child = write_image(directory, _lane(rng), process=8, parent=IDENTITY, identity=IDENTITY + 30)
    parent.stacks.write_bytes(_stacks())
    if rng.random() < 0.7:
        parent.stacks.rename(window_of(parent.stacks))
    for lane in (*parent.lanes, *child.lanes):
        if rng.random() < 0.7:
            _move_to_window(lane, rng.choice((0, 0, 1, 2)), rng)
    files = sorted(directory.iterdir())
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        _damage(rng.choice(files), rng)


def convert_images(directory: Path) -> Iterator[Path]:
    """Write the traces of all program images with their call sites; yield the files."""
    images = find_images(directory)
    for image in images:
        out = directory / "out.allocsim"
        write_trace(open_image(image, images, 1.0), out)
        yield out


def _lane(rng: random.Random) -> list[Record]:
    """Return valid records of one thread: allocations with and without a stack, and frees."""
    records, live = list[Record](), list[int]()
    for stamp in range(1, RECORDS):
        kind = rng.random()
        if live and kind < 0.3:
            records.append((Code.FREE, stamp, live.pop()))
        elif live and kind < 0.4:
            address = live.pop()
            records += [(Code.REALLOC, stamp, address, 99), (Code.RESIZED, stamp, address)]
        else:
            live.append(rng.randrange(1, 1 << 20) << 4)
            site = 1 + rng.randrange(STACKS)
            size = rng.randrange(5000)
            if rng.random() < 0.5:
                records.append((Code.MALLOC | SMALL, stamp, size << 48 | live[-1]))
            else:
                records.append((Code.MALLOC | WITH_SITE, stamp, live[-1], size, site))
    return records


def _move_to_window(lane: Path, full: int, rng: random.Random) -> None:
    """Move the chunk of a lane to the window, as if the window had been full `full` times before.

    Sometimes the program ends while the window is cleared after it was appended to the chunks.
    """
    chunk, before, cleared = lane.read_bytes(), _full_chunk() * full, 0
    lane.unlink()
    if rng.random() < 0.2:
        before, cleared = before + chunk, 256
    if before:
        lane.write_bytes(before)
    write_window(lane, bytes(cleared) + chunk[cleared:], full)


@cache
def _full_chunk() -> bytes:
    """Return a chunk with as many records as there is room for: calls of free(NULL)."""
    begin: Record = (Code.BEGIN, 0, 9 << 32)
    return encoded([begin, *[(Code.FREE, 0, 0)] * ((CHUNK - SLACK) // 16 - 1)])


def _stacks() -> bytes:
    """Return the content of lane 0: the entry of one mapped file, and the entries of stacks."""
    words = [_head(Kind.OBJECT, 4), 0x1000, 0x9000, 0x1000, int.from_bytes(b"/no/file", "little")]
    for number in range(STACKS):
        head = number + 1 << 32 | _head(Kind.STACK, 2)
        words += [head, 0x1100 + 16 * number, 0x2000]
    return struct.pack(f"<{len(words)}Q", *words).ljust(CHUNK, b"\0")


def _head(kind: Kind, words: int) -> int:
    """Return the first word of an entry."""
    return words << 8 | kind


def _damage(path: Path, rng: random.Random) -> None:
    """Overwrite or flip something in the used part of a file, or cut the file."""
    content = bytearray(path.read_bytes())
    used = max(len(content.rstrip(b"\0")), 8)
    place = rng.randrange(used)  # after the end if an earlier damage left less than 8 bytes
    kind = rng.randrange(6 if path.name.endswith("w") else 5)
    if kind == 0:
        content[place : place + 8] = (rng.choice(NUMBERS) & (1 << 64) - 1).to_bytes(8, "little")
    elif kind == 1:
        aligned = place & ~7
        content[aligned : aligned + 8] = (rng.choice(NUMBERS) & (1 << 64) - 1).to_bytes(8, "little")
    elif kind == 2 and place < len(content):
        content[place] = rng.randrange(256)
    elif kind == 3:
        content[place : place + 100] = rng.randbytes(min(100, max(len(content) - place, 0)))
    elif kind == 5:  # the number of chunks before the window
        content[-8:] = rng.choice((0, 1, 2, 3, 1 << 46, (1 << 64) - 1)).to_bytes(8, "little")
    else:
        del content[rng.choice((place, len(content) - rng.randrange(100))) :]
    path.write_bytes(content)
