"""The child process of `readers.memray`. It writes the records of a capture to standard output.

memray's reader is native code. A damaged capture may make it crash, so it runs in a separate
process. This program imports nothing from allocsim. Its standard input is the capture, which must
be a regular file. It writes int64 numbers to standard output. The first number is 1 if Python's own
allocator was traced, else 0. Then come four numbers for each record: allocator, thread, address and
size. The exit status is 0 on success, NO_MEMRAY if memray is not installed, or UNREADABLE with
the reason on standard error.
"""

from __future__ import annotations

import resource
import sys
from array import array
from typing import Any

NO_MEMRAY, UNREADABLE = 3, 2
"""Exit statuses if memray is not installed, and if it cannot read the capture."""

MAX_MEMORY = 8 << 30
"""Maximum bytes of address space that the process may use."""

MAX_OUTPUT = 1 << 20
"""Maximum bytes of a file that the process may write. Standard error is a file, and without this
limit, messages about a damaged capture could fill the disk."""

AGGREGATED = "it holds totals instead of single allocations; record it without --aggregate"

OTHER_VERSION = (
    "memray reads only the captures of its own version; record it again with the installed memray, "
    "or install the version that recorded it (pip install memray==VERSION)"
)

BATCH = 1 << 13
"""Records written at a time: 256 KiB."""

MASK = (1 << 60) - 1
"""Mask of the bits of a number that are kept, so that every number fits into an int64. Only a
damaged record has a higher bit set."""


def main() -> int:
    """Write the records; return the exit status."""
    _limit(resource.RLIMIT_AS, MAX_MEMORY)
    _limit(resource.RLIMIT_FSIZE, MAX_OUTPUT)
    try:
        from memray import FileFormat, FileReader
    except ImportError:
        return NO_MEMRAY
    try:
        reader = FileReader("/proc/self/fd/0")
        if reader.metadata.file_format is not FileFormat.ALL_ALLOCATIONS:
            return _fail(AGGREGATED)
        _write_records(reader)
    except Exception as error:  # memray raises many types if a capture is damaged
        return _fail(f"{error or type(error).__name__}; {OTHER_VERSION}")
    return 0


def _limit(kind: int, most: int) -> None:
    """Lower a limit of this process to `most`, unless it is lower already."""
    _, allowed = resource.getrlimit(kind)
    if allowed == resource.RLIM_INFINITY or allowed > most:
        resource.setrlimit(kind, (most, most))


def _write_records(reader: Any) -> None:
    """Write the numbers that the module's docstring describes."""
    numbers = array("q", [int(reader.metadata.trace_python_allocators)])
    for record in reader.get_allocation_records():
        numbers.extend(
            (record.allocator & MASK, record.tid & MASK, record.address & MASK, record.size & MASK)
        )
        if len(numbers) >= 4 * BATCH:
            numbers.tofile(sys.stdout.buffer)
            del numbers[:]
    numbers.tofile(sys.stdout.buffer)
    sys.stdout.buffer.flush()


def _fail(reason: str) -> int:
    """Write the reason to standard error; return the exit status."""
    sys.stderr.write(reason)
    return UNREADABLE


if __name__ == "__main__":
    sys.exit(main())
