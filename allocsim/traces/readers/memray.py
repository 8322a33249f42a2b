"""Captures of memray, a profiler of Python programs, read by memray's own reader.

memray is an optional dependency. The layout of a capture changes between versions of memray, so
this module does not parse it. Instead, a child process (`memray_child`) reads the capture with
memray, and this module converts the records that the child writes. The calls of the malloc family
are used, and Python's own allocations if they were traced. Calls of mmap and munmap are dropped:
Python obtains its arenas by mmap, so the objects in an arena would be counted twice.

memray records a realloc as a free and an allocation. It does not record alignments. This reader's
use of memory is bounded by the number of live blocks, and the child's by MAX_MEMORY. A compressed
capture, or a capture from standard input, is first copied to an unnamed file.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from allocsim.errors import EnvironmentLacks, TraceError
from allocsim.events import Op
from allocsim.python_child import output_file, running, script_command, written
from allocsim.text import printable, shortened
from allocsim.traces.formats import Format
from allocsim.traces.prefetch import call_arrays
from allocsim.traces.reader import Reader
from allocsim.traces.readers import lz4_frame, memray_child
from allocsim.traces.readers.memray_child import NO_MEMRAY, UNREADABLE
from allocsim.traces.readers.memray_stacks import MAX_TABLE, decode_stacks
from allocsim.traces.source import Source

PLAIN, PACKED = b"memray\0", lz4_frame.MAGIC
"""First bytes of a plain capture, and of a capture compressed with LZ4 (memray's default)."""

CUT_AT_START = "it is cut off before its first call"
"""Reason in the error if a capture is cut off so early that memray can read nothing."""

NUMBER = 8
RECORD = NUMBER * memray_child.COLUMNS
"""Length in bytes of a number, and of a record, in the child's output (see `memray_child`)."""

_NOT_A_CALL = -1
_OPS = np.full(64, _NOT_A_CALL, np.int64)
_OPS[[1, 5]] = Op.FREE
_OPS[[2, 4, 6, 7]] = Op.MALLOC  # 4 and 7: the allocation made by a realloc
_OPS[[3, 8]] = Op.CALLOC
_OPS[9:14] = Op.MEMALIGN
"""For each of memray's allocator numbers, the Op of a call, or _NOT_A_CALL.

Numbers 1 to 4 are Python's own allocator, 5 to 13 the malloc family, 14 and 15 mmap and munmap."""


def looks_like(head: bytes) -> bool:
    """Return whether a file begins with the first bytes of a capture."""
    return head.startswith((PLAIN, PACKED))


class MemrayReader(Reader):
    """The calls of a capture."""

    knows_sites = True

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._dropped = 0

    def batches(self) -> Iterator[Any]:
        """Yield the calls in arrays that are reused in turn (see `prefetch.call_arrays`)."""
        with self.source.as_file() as capture, output_file() as complaint:
            arguments = [] if self.sites is None else [memray_child.STACKS]
            command = script_command(str(memray_child.__file__), *arguments)
            files: dict[str, Any] = {"stdin": capture, "stderr": complaint}
            with running(command, stdout=subprocess.PIPE, **files) as child:
                assert child.stdout is not None
                with child.stdout:
                    yield from self._read(child.stdout)
            text = printable(written(complaint)[:2000].decode("utf-8", "replace").strip())
            is_cut = _is_cut(capture.fileno())
            self._require_success(child.returncode, CUT_AT_START if is_cut else text)
            if is_cut:
                self.losses.append("the capture is cut off; what memray could read of it was used")
            elif text:
                self.losses.append(f"memray reports: {shortened(text)}")

    def _read(self, stream: IO[bytes]) -> Iterator[Any]:
        """Yield batches of the calls in the child's output."""
        arrays = call_arrays(memray_child.BATCH)
        python = np.frombuffer(stream.read(NUMBER).ljust(NUMBER, b"\0"), np.int64)[0]
        while block := stream.read(RECORD * memray_child.BATCH):
            columns, whole = memray_child.COLUMNS, len(block) // RECORD
            rows = np.frombuffer(block, np.int64, whole * columns).reshape(-1, columns)
            (ends,) = np.nonzero(rows[:, 0] == memray_child.TABLE)
            if len(ends) and self.sites is not None:
                text = block[(ends[0] + 1) * RECORD :] + stream.read(MAX_TABLE)
                self.sites.table = decode_stacks(text, self.source.name)
                rows = rows[: ends[0]]
            yield self._calls(rows, next(arrays))
        if self._dropped:
            hidden = (
                "; Python's objects of up to 512 bytes are in memory from mmap and were not "
                "recorded; record with --trace-python-allocators to include them"
            )
            note = f"dropped calls of mmap and munmap: {self._dropped:,}"
            self.notes.append(note if python else note + hidden)

    def _calls(self, rows: Any, calls: Any) -> Any:
        """Convert the child's records that are calls; return the part of `calls` that they fill."""
        # The last entry of _OPS, which is _NOT_A_CALL, is used for all larger numbers too.
        ops = _OPS[np.minimum(rows[:, 0], len(_OPS) - 1)]
        call_rows = rows[ops != _NOT_A_CALL]
        self._dropped += len(rows) - len(call_rows)
        batch = calls[: len(call_rows)]
        batch.op[:] = ops[ops != _NOT_A_CALL]
        batch.thread[:], batch.address[:], batch.request[:] = (
            call_rows[:, 1],
            call_rows[:, 2],
            call_rows[:, 3],
        )
        batch.site[:] = call_rows[:, 4]
        return batch

    def _require_success(self, status: int, complaint: str) -> None:
        """Raise an error if the child's exit status is not 0; `complaint` is the reason."""
        if status == NO_MEMRAY:
            raise EnvironmentLacks(
                f"{self.source.name}: reading a capture of memray requires memray: "
                f"{shlex.quote(sys.executable)} -m pip install memray"
            )
        if status == UNREADABLE:
            raise TraceError(f"{self.source.name}: memray cannot read this capture: {complaint}")
        if status != 0:
            raise TraceError(
                f"{self.source.name}: memray crashed (status {status}) when reading this "
                "capture, which is probably damaged; record it again"
            )


def _is_cut(capture: int) -> bool:
    """Return whether a compressed capture is cut off, which memray does not always report."""
    return os.pread(capture, len(PACKED), 0) == PACKED and not lz4_frame.is_complete(capture)


FORMAT = Format(
    name="memray",
    summary="captures of memray, a profiler of Python programs (pip install 'allocsim[memray]')",
    looks_like=looks_like,
    open=MemrayReader,
)
