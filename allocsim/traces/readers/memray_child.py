"""The child process of `readers.memray`. It writes the records of a capture to standard output.

memray's reader is native code, which a damaged capture may crash, so it runs in a separate process.
This program imports nothing from allocsim. Its standard input is the capture, which must be a
regular file. The program writes int64 numbers to standard output. The first number is 1 if Python's
own allocator was traced, else 0. Then come five numbers for each record: allocator, thread,
address, size and the number of its stack. The exit status is 0 on success, NO_MEMRAY if memray is
not installed, or UNREADABLE with the reason on standard error.

With the argument STACKS, the program also writes the stacks. A last record, whose allocator is
TABLE, marks the end of the records. A JSON object with all stacks follows. Its key `frames` is a
list of [function, file, line, whether the frame is native]. The stacks are a tree with one row for
each stack. The innermost frame of stack N is `frames[frame_of[N]]`, and its callers are the stack
`parents[N]`. Stack 0 is empty. Without the argument, all numbers of stacks are 0.
"""

from __future__ import annotations

import json
import resource
import sys
from array import array
from typing import Any

NO_MEMRAY, UNREADABLE = 3, 2
"""Exit statuses if memray is not installed, and if memray cannot read the capture."""

MAX_MEMORY = 8 << 30
"""Maximum bytes of address space that the process may use."""

MAX_OUTPUT = 1 << 20
"""Maximum bytes of a file that the process may write. The parent redirects standard error to a
file; without the limit, messages about a damaged capture could fill the disk."""

AGGREGATED = (
    "the capture has totals instead of single allocations; record again without --aggregate"
)

OTHER_VERSION = (
    "memray reads only captures of its own version; record again with the installed memray, or "
    "install the version that made the capture (pip install memray==VERSION)"
)

STACKS, TABLE = "stacks", -1
"""STACKS: the argument that requests the stacks. TABLE: the allocator number of the last record,
which the stacks follow."""

COLUMNS = 5
"""Numbers of a record."""

MAX_ROWS, MAX_NAME = 1 << 20, 1000
"""Maximum number of rows of the tree, and of characters of a name. Stacks that no longer fit into
the tree have the number 0."""

BATCH = 1 << 13
"""Number of records written at a time (320 KiB)."""

MASK = (1 << 60) - 1
"""Mask of the bits of a number that are kept, so that every number fits into an int64. A higher
bit is set only in a damaged record."""


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
    except Exception as error:  # a damaged capture causes errors of many types
        return _fail(f"{error or type(error).__name__}; {OTHER_VERSION}")
    return 0


def _limit(kind: int, maximum: int) -> None:
    """Lower a limit of this process to `maximum`, unless the limit is already lower."""
    _, allowed = resource.getrlimit(kind)
    if allowed == resource.RLIM_INFINITY or allowed > maximum:
        resource.setrlimit(kind, (maximum, maximum))


def _write_records(reader: Any) -> None:
    """Write the numbers that the module's docstring describes, and the stacks if requested."""
    stacks = _Stacks(reader.metadata.has_native_traces) if STACKS in sys.argv[1:] else None
    numbers = array("q", [int(reader.metadata.trace_python_allocators)])
    for record in reader.get_allocation_records():
        stack = 0 if stacks is None else stacks.number_of(record)
        numbers.extend((record.allocator & MASK, record.tid & MASK, record.address & MASK,
                        record.size & MASK, stack))  # fmt: skip
        if len(numbers) >= COLUMNS * BATCH:
            numbers.tofile(sys.stdout.buffer)
            del numbers[:]
    if stacks is not None:
        numbers.extend((TABLE, *(COLUMNS - 1) * (0,)))
    numbers.tofile(sys.stdout.buffer)
    if stacks is not None:
        sys.stdout.buffer.write(stacks.encoded())
    sys.stdout.buffer.flush()


class _Stacks:
    """The stacks of the records. Each is made only once, because memray takes 24 us per stack."""

    def __init__(self, native: bool) -> None:
        self._native = native
        self._numbers: dict[Any, int] = {}
        self._frames: dict[tuple[str, str, int, bool], int] = {("", "", 0, False): 0}
        self._rows: dict[tuple[int, int], int] = {(0, 0): 0}

    def number_of(self, record: Any) -> int:
        """Return the number of a record's stack; 0 for a free, which has no stack."""
        if record.allocator in (1, 5, 15):  # PYMALLOC_FREE, FREE and MUNMAP
            return 0
        key = (record.stack_id, record.native_stack_id, record.native_segment_generation)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = self._row_of(record)
        return number

    def _row_of(self, record: Any) -> int:
        """Return the row of a record's stack, or 0 if the tree is full."""
        stack = record.hybrid_stack_trace() if self._native else record.stack_trace()
        row = 0
        for function, file, line in reversed(stack):
            if len(self._rows) >= MAX_ROWS:
                return 0
            # The file of a Python function is NAME.py, or has a name such as <string>.
            is_native = not file.endswith(".py") and not file.startswith("<")
            frame = (function[:MAX_NAME], file[:MAX_NAME], line, is_native)
            number = self._frames.setdefault(frame, len(self._frames))
            row = self._rows.setdefault((row, number), len(self._rows))
        return row

    def encoded(self) -> bytes:
        """Return the stacks as a JSON object."""
        parents, frames = zip(*self._rows, strict=True)
        table = {"frames": [*self._frames], "parents": parents, "frame_of": frames}
        return json.dumps(table).encode("ascii")


def _fail(reason: str) -> int:
    """Write the reason to standard error; return the exit status."""
    sys.stderr.write(reason)
    return UNREADABLE


if __name__ == "__main__":
    sys.exit(main())
