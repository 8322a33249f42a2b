"""Program images of a recording, and their headers (see `layout`)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

MAGIC, VERSION = b"allocrec", 5
"""First two fields of a header."""

LOST = (
    "the file-size limit of the program (ulimit -f)",
    "no free descriptor (ulimit -n)",
    "a file of the recording could not be opened",
    "the disk is full",
    "no address space (ulimit -v)",
    "too many threads at once",
    "a seccomp filter",
)
"""Reasons why calls or forked processes were not recorded, in the order of the counters."""


class Flag(IntEnum):
    """Bits of the header's flags."""

    OWN_MALLOC = 1
    """The executable has a malloc of its own, which the recorder does not see."""
    DEEPBIND = 2
    """A library was opened with RTLD_DEEPBIND, which the recorder cleared."""
    USABLE_SIZE = 4
    """malloc_usable_size was called."""
    ENDED = 8
    """The process ran its destructors: it was not killed and did not call _exit."""


HEADER = np.dtype(
    [
        ("magic", "S8"),
        ("version", "<u8"),
        ("process", "<u8"),
        ("identity", "<u8"),  # stamp of the image's first call
        ("parent", "<u8"),  # identity of the image from which this one was forked, or 0
        ("forked", "<u8"),  # stamp taken just before that fork, or 0
        ("is_tsc", "<u8"),  # 1 if stamps are ticks of the time stamp counter; 0 if they are ns
        ("flags", "<u8"),  # bits of Flag
        ("maps", "<u8"),  # the program's calls of mmap, mremap, brk and sbrk that got memory
        ("mapped", "<u8"),  # bytes that these calls obtained
        ("unmaps", "<u8"),  # the program's calls that returned memory to the OS
        ("unmapped", "<u8"),  # bytes that these calls returned
        ("lost", "<u8", 16),  # calls by reason, as in LOST
        ("program", "S256"),
        ("siteless", "<u8"),  # allocating calls whose stack could not be recorded
        ("chunks", "<u8"),  # number of chunks in all lanes together
        ("stacks", "<u8"),  # number of stacks in lane 0
        ("children", "<u8", 16),  # forked children without a recording, by reason, as in LOST
        ("now", "<u8"),  # time of the last sample (see `set_now`)
    ]
)
"""The header of a program image."""

NOW = HEADER.itemsize - 8
"""Offset in bytes of the field `now`."""

_NAME = re.compile(r"([0-9a-f]{1,8}-[0-9a-f]{1,16})(?:\.([0-9a-f]{1,4})w?)?")


class Image(NamedTuple):
    """A program image: what one process did before it called exec or ended."""

    header: Any
    """A record of HEADER."""
    lanes: tuple[Path, ...]
    """The lanes with records: the path PID-STAMP.N of each lane N."""
    stacks: Path
    """Lane 0, which has no file if no stack was recorded."""

    @property
    def process(self) -> int:
        """The process id."""
        return int(self.header["process"])

    @property
    def identity(self) -> int:
        """The stamp of the image's first call, which no other image of the recording has."""
        return int(self.header["identity"])

    @property
    def program(self) -> str:
        """The name of the executable without its directory."""
        return Path(self.path).name or "unknown"

    @property
    def path(self) -> str:
        """The path of the executable."""
        path: bytes = self.header["program"]
        return path.decode("utf-8", "replace")

    @property
    def lost(self) -> dict[str, int]:
        """Number of calls that were not recorded, by reason."""
        return self._by_reason("lost")

    @property
    def lost_children(self) -> dict[str, int]:
        """Number of forked processes that could not begin a recording, by reason.

        Each such process is counted in the header of its nearest ancestor that has a recording.
        """
        return self._by_reason("children")

    @property
    def is_lost(self) -> bool:
        """Whether calls were made but none was recorded: there was room for the header only."""
        return not self.header["chunks"] and bool(self.lost)

    @property
    def mapped(self) -> int:
        """Bytes that the program mapped itself, less those it unmapped."""
        return max(int(self.header["mapped"]) - int(self.header["unmapped"]), 0)

    def _by_reason(self, field: str) -> dict[str, int]:
        """Return the counts in a field of the header by reason, without counts of 0."""
        counts = zip(LOST, self.header[field].tolist(), strict=False)
        return {reason: count for reason, count in counts if count}

    def set_now(self, stamp: int) -> None:
        """Write the time `stamp` into the header, while the program runs; raise OSError on failure.

        For its next call, a thread whose last stamp is earlier reads the clock.
        """
        with self.stacks.with_suffix("").open("r+b") as file:
            file.seek(NOW)
            file.write(stamp.to_bytes(8, "little"))

    def has(self, flag: Flag) -> bool:
        """Return whether a flag is set."""
        return bool(int(self.header["flags"]) & flag)


def find_images(directory: Path) -> list[Image]:
    """Return the program images in a directory, the earliest first.

    A header file without a complete header is ignored: the program ended while creating it.
    """
    headers, lanes = [], defaultdict[str, dict[int, Path]](dict)
    for path in directory.iterdir():
        if (match := _NAME.fullmatch(path.name)) is None:
            continue
        if match[2] is None:
            headers.append(path)
        else:
            lanes[match[1]][int(match[2], 16)] = path.with_name(path.name.rstrip("w"))
    images = (_read_image(path, lanes[path.name]) for path in headers)
    return sorted(filter(None, images), key=lambda image: image.identity)


def last_image(directory: Path, process: int) -> Image | None:
    """Return the image of the last program that a process executed, or None if it has no image."""
    images = [image for image in find_images(directory) if image.process == process]
    return images[-1] if images else None


def _read_image(path: Path, files: dict[int, Path]) -> Image | None:
    """Return the image whose header is in a file, or None if the file has no complete header.

    `files` has the paths of the image's lanes, by lane number.
    """
    with path.open("rb") as file:
        content = file.read(HEADER.itemsize)
    if len(content) < HEADER.itemsize or not content.startswith(MAGIC):
        return None
    stacks = files.get(0, path.with_name(f"{path.name}.0"))
    lanes = tuple(files[number] for number in sorted(files) if number > 0)
    return Image(np.frombuffer(content, HEADER)[0], lanes, stacks)


def ancestors(image: Image, images: list[Image]) -> Iterator[Image]:
    """Yield the images from which an image was forked, the nearest first."""
    known = {other.identity: other for other in images}
    while (parent := known.get(int(image.header["parent"]))) is not None:
        if parent.identity >= image.identity:  # a damaged header, which could make the loop endless
            return
        yield parent
        image = parent
