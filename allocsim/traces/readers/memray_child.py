"""The records of a memray capture on standard output: a program of its own, run by `memray`.

Below `memray`, apart from everything else: it imports nothing of allocsim. memray's reader is
native code that ends a process by a signal where a capture is damaged, so it has a process to end.
Its one rule: standard input is the capture, a regular file; standard output is int64 numbers, first
1 or 0, whether Python's own allocators were traced, then four for each record: allocator, thread,
address, size. The exit status is LACKS without memray, REFUSED with a reason on standard error.

It takes at most MOST_MEMORY bytes of address space.
"""

from __future__ import annotations

import resource
import sys
from array import array
from typing import Any

LACKS, REFUSED = 3, 2

MOST_MEMORY = 8 << 30

AGGREGATED = "it is aggregated, so it has no single allocations: record it without --aggregate"

ANOTHER_VERSION = (
    "a memray reads only the captures of its own version: record it again with the memray that is "
    "installed here, or install the one that recorded it (pip install memray==VERSION)"
)

BATCH = 1 << 13
"""Records written at a time: 256 KiB."""

MASK = (1 << 60) - 1
"""The bits of an address or a number that count; a record of more is damaged."""


def main() -> int:
    """Write the records; the exit status."""
    _, allowed = resource.getrlimit(resource.RLIMIT_AS)
    if allowed == resource.RLIM_INFINITY or allowed > MOST_MEMORY:
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    try:
        from memray import FileFormat, FileReader
    except ImportError:
        return LACKS
    try:
        reader = FileReader("/proc/self/fd/0")
        if reader.metadata.file_format is not FileFormat.ALL_ALLOCATIONS:
            return _refuse(AGGREGATED)
        _write_records(reader)
    except Exception as error:  # memray's, of many kinds, where a capture is damaged
        return _refuse(f"{error or type(error).__name__}; {ANOTHER_VERSION}")
    return 0


def _write_records(reader: Any) -> None:
    """Write the head and every record."""
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


def _refuse(reason: str) -> int:
    """Say why on standard error; the exit status."""
    sys.stderr.write(reason)
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())
