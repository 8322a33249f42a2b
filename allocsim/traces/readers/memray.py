"""Captures of memray, a profiler of Python programs, through memray's own reader (an extra).

A reader: bytes to calls. The layout of a capture changes with memray's versions, so it is never
parsed here: `memray_records` reads it in a process of its own, and this file maps its records. Its
one rule: malloc's calls and Python's own, where they were traced, are calls; mmap and munmap never
are, since Python's arenas are among them: its objects would count twice.

A realloc is recorded as a free and an allocation, and alignments are not recorded. Memory is
bounded by the live blocks and by what that process may take; a capture in a container, or from a
pipe, is first unpacked to an unnamed file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import IO, Any

import numpy as np

from allocsim.errors import EnvironmentLacks, TraceError
from allocsim.events import Op
from allocsim.traces.calls import no_calls
from allocsim.traces.formats import CUT_CONTAINER, Format
from allocsim.traces.prefetch import AHEAD
from allocsim.traces.readers import memray_child
from allocsim.traces.readers.memray_child import LACKS, REFUSED
from allocsim.traces.source import Source

PLAIN, PACKED = b"memray\0", b"\x04\x22\x4d\x18"
"""The beginnings of a capture: memray's own, and LZ4's, in which most are packed."""

NUMBER, RECORD = 8, 32
"""Bytes of a number and of a record as they come."""

_LEFT_OUT = -1
_OPS = np.full(64, _LEFT_OUT, np.int64)
_OPS[[1, 5]] = Op.FREE
_OPS[[2, 4, 6, 7]] = Op.MALLOC  # 4 and 7 are what a realloc returned
_OPS[[3, 8]] = Op.CALLOC
_OPS[9:14] = Op.MEMALIGN
"""Ops by memray's number of the allocator: 1 to 4 Python's, 5 to 13 malloc's, then mmap, munmap."""


def looks_like(head: bytes) -> bool:
    """Whether a file begins as captures do."""
    return head.startswith((PLAIN, PACKED))


class MemrayReader:
    """The calls of a capture."""

    is_empty = False
    """A capture is never empty: it has a head."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.notes: list[str] = []
        self._left_out = 0

    def batches(self) -> Iterator[Any]:
        """Arrays of CALL; each is used again when AHEAD + 2 more were made."""
        with self.source.as_file() as capture, tempfile.TemporaryFile() as complaint:
            if self.source.truncated:
                self.notes.append(CUT_CONTAINER)
            program = [sys.executable, "-P", str(Path(memray_child.__file__))]
            with subprocess.Popen(
                program, stdin=capture, stdout=subprocess.PIPE, stderr=complaint
            ) as child:
                try:
                    assert child.stdout is not None
                    yield from self._read(child.stdout)
                finally:
                    child.kill()  # it has ended, unless the consumer has stopped
            complaint.seek(0)
            self._require_success(child.returncode, complaint.read(2000).decode("utf-8", "replace"))

    def _read(self, stream: IO[bytes]) -> Iterator[Any]:
        """Batches of the calls that come, until the stream ends."""
        arrays = cycle([no_calls(memray_child.BATCH) for _ in range(AHEAD + 2)])
        python = np.frombuffer(stream.read(NUMBER).ljust(NUMBER, b"\0"), np.int64)[0]
        while block := stream.read(RECORD * memray_child.BATCH):
            whole = np.frombuffer(block, np.int64, len(block) // RECORD * 4).reshape(-1, 4)
            yield self._calls(whole, next(arrays))
        if self._left_out:
            hidden = (
                "; Python's objects of up to 512 bytes, which lie in such, are not seen: record "
            )
            note = f"calls of mmap and munmap left out: {self._left_out:,}"
            self.notes.append(note + (f"{hidden}with --trace-python-allocators" * (not python)))

    def _calls(self, records: Any, calls: Any) -> Any:
        """The records that are calls, in the front of `calls`."""
        ops = _OPS[np.minimum(records[:, 0], len(_OPS) - 1)]
        kept = records[ops != _LEFT_OUT]
        self._left_out += len(records) - len(kept)
        batch = calls[: len(kept)]
        batch.op[:] = ops[ops != _LEFT_OUT]
        batch.thread[:], batch.address[:], batch.request[:] = kept[:, 1], kept[:, 2], kept[:, 3]
        return batch

    def _require_success(self, status: int, complaint: str) -> None:
        """An error of ours for an exit status that is not 0."""
        if status == LACKS:
            raise EnvironmentLacks(
                f"{self.source.name}: reading a capture of memray needs memray: "
                "pip install 'allocsim[memray]'"
            )
        if status == REFUSED:
            raise TraceError(f"{self.source.name}: memray cannot read it: {complaint.strip()}")
        if status != 0:
            raise TraceError(
                f"{self.source.name}: memray's reader failed on it (status {status}): the capture "
                "is damaged; record it again"
            )


FORMAT = Format(
    name="memray",
    summary="captures of memray, a profiler of Python programs (pip install 'allocsim[memray]')",
    looks_like=looks_like,
    open=MemrayReader,
)
