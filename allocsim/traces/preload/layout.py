"""Files of a recording, as `recorders/preload/source` defines them.

A program image is what one process runs until it calls exec or ends; each exec begins another
image. An image has a file PID-STAMP that holds one header, and files for each lane. A lane is a
sequence of records that one thread at a time writes. When a thread ends, a new thread continues its
lane. Lane 0 has the stacks of the calls instead of records, and exists only if stacks are recorded
(see `stacks`).

The last chunk of lane N is in the file PID-STAMP.Nw, which is called the lane's window. The chunks
before it are in the file PID-STAMP.N (see `lane_files`). Up to version 3, all chunks are in
PID-STAMP.N.

A stamp is the time of a call, in ticks of the processor's time stamp counter or in ns. A record
consists of 8-byte words. Its first word has the operation in the low byte and the stamp above it. A
chunk has CHUNK bytes, and ends with SLACK bytes without records. Words that are 0 may precede a
record, and are skipped.

Since version 5, most records are SHORT: they consist of one word, which has, from the low bit up, the
operation, the stamp, the address and the size. The stamp and the address are differences from those
in the lane's last BASE record.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

CHUNK = 128 << 10
"""Bytes of a chunk."""

SLACK = 512
"""Bytes at the end of a chunk that hold no records."""

TEXT_WORDS = 4
"""Words that the name of a thread or program takes in a record."""

MAGIC, VERSION = b"allocrec", 5
"""First two fields of a header."""

SHORT = 32
"""Bit of a record's operation. If it is set, the record is one word. The other bits below it are the
Code."""

OP_BITS, STAMP_BITS, ADDRESS_BITS = 6, 16, 28
"""Bits of the fields of a SHORT record. The size has the other bits."""

UNIT = 16
"""Unit in bytes of the address of a SHORT record."""

SMALL = 64
"""Bit of a record's operation. If it is set, the size has no word of its own; it is in the top 16
bits of the address's word."""

WITH_SITE = 128
"""Bit of a record's operation. If it is set, one more word follows: the number of the call's
stack."""

CODE = 31
"""Bits of an operation that are its Code."""


class Code(IntEnum):
    """Operation of a record."""

    MALLOC = 1
    CALLOC = 2
    MEMALIGN = 3
    POSIX_MEMALIGN = 4
    ALIGNED_ALLOC = 5
    VALLOC = 6
    PVALLOC = 7
    NEW = 8
    NEW_ALIGNED = 9
    REALLOC_NULL = 10
    REALLOCARRAY_NULL = 11
    REALLOC = 12
    """First record of a realloc, written before the call: the old address and the new size."""
    REALLOCARRAY = 13
    """First record of a reallocarray, with the same words as REALLOC."""
    RESIZED = 14
    """Second record of a realloc or a reallocarray, written after the call: the new address, 0 on
    failure."""
    FREE = 15
    DELETE = 16
    BEGIN = 17
    """A thread begins to write into the lane. The thread may have written into other lanes before.
    """
    END = 18
    """The thread has ended."""
    NAME = 19
    """The name of the thread."""
    EXEC = 20
    """The process, or a child of vfork, starts a program by exec or posix_spawn."""
    EXEC_FAILED = 21
    """The last exec of the process has failed."""
    UNWRITTEN = 22
    """A record that was reserved but never written. The number of its words is in place of the
    stamp."""
    TOUCHED = 23
    """The address of a large block, and how many of its bytes are in memory. The record is written
    before the block is freed or resized, or when the program ends if the block is still live."""
    BASE = 24
    """The stamp and the address from which the SHORT records after it count."""


KINDS = {
    "malloc": (Code.MALLOC,),
    "calloc": (Code.CALLOC,),
    "realloc": (Code.REALLOC, Code.REALLOC_NULL),
    "reallocarray": (Code.REALLOCARRAY, Code.REALLOCARRAY_NULL),
    "memalign": (Code.MEMALIGN,),
    "posix_memalign": (Code.POSIX_MEMALIGN,),
    "aligned_alloc": (Code.ALIGNED_ALLOC,),
    "valloc": (Code.VALLOC,),
    "pvalloc": (Code.PVALLOC,),
    "operator new": (Code.NEW,),
    "operator new(align_val_t)": (Code.NEW_ALIGNED,),
    "free": (Code.FREE,),
    "operator delete": (Code.DELETE,),
}
"""The functions that a program may call, and the codes of their records. Calls of operators new and
delete are recorded only if the library that defines malloc also defines these operators. Otherwise,
only the calls of malloc and free that the operators make are recorded."""


def _words(code: Code) -> int:
    """Return the number of words of a record with this code."""
    if code in (Code.NAME, Code.EXEC):
        return 2 + TEXT_WORDS
    return 3 if code <= Code.REALLOCARRAY or code == Code.TOUCHED else 2


WORDS = np.array([0, *map(_words, Code)], np.int64)
"""Words of a record by Code, or 0 if no record has this code."""

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
        ("now", "<u8"),  # a time; a thread whose last stamp is earlier reads the clock
    ]
)
"""The header of a program image."""

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

        A thread whose last stamp is earlier then reads the clock for its next call.
        """
        with self.stacks.with_suffix("").open("r+b") as file:
            file.seek(HEADER.fields["now"][1])
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
