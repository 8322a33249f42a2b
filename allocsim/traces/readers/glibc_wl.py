"""Workloads of glibc's trace-utils: .wl files, which its trace2wl writes and its trace_run replays.

The header gives the number of pointers, syncs and threads, and where each thread's stream begins;
`glibc_wl_threads` merges the streams into one. Pointers are slots, which take the place of
addresses. Storing into a slot ends the block that was in it. trace_run does the same for all
functions except realloc.

The streams may begin anywhere in the file, so the file is mapped; a compressed file or standard
input is first copied to an unnamed file. Memory is bounded by the live blocks, 16 bytes for each
sync, and the pages of the mapping that the kernel keeps.
"""

from __future__ import annotations

from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from typing import Any

import numpy as np

from allocsim.core.tables import records
from allocsim.errors import TraceError
from allocsim.events import MAX_THREADS
from allocsim.traces.formats import TRUNCATED, Format
from allocsim.traces.prefetch import call_arrays
from allocsim.traces.readers.glibc_wl_threads import (
    TURN,
    Code,
    Run,
    Stop,
    Threads,
    read_number,
    run_threads,
    start_threads,
)
from allocsim.traces.source import Source

MAX_SLOTS = 1 << 50
"""Maximum number of slots that a header may promise."""

MAX_HEADER = 1 << 20
"""Maximum bytes of a header. A file with a longer header is not a workload."""

CODES = ", ".join(f"{code} {code.name.lower()}" for code in Code)


def looks_like(head: bytes) -> bool:
    """Return whether a file begins with a header: pointers, syncs, threads, start of a thread."""
    wanted, content = [Code.SLOTS, Code.SYNCS, Code.THREADS, Code.START], head[:64]
    for code in wanted:
        if content[:1] != bytes([code]):
            return False
        content = content[1:].lstrip(bytes(range(0x80, 0x100)))[1:]
    return True


class WlReader:
    """The calls of a workload."""

    is_empty = False
    """A workload has a header, so it is never empty."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.notes: list[str] = []

    def batches(self) -> Iterator[Any]:
        """Yield arrays of CALL; an array is reused for the batch that is AHEAD + 2 later."""
        with self.source.as_file() as file:
            if self.source.truncated:
                self.notes.append(TRUNCATED)
            try:
                mapping = mmap(file.fileno(), 0, access=ACCESS_READ)
            except (OSError, ValueError) as error:
                raise TraceError(f"{self.source.name}: cannot be mapped: {error}") from error
            yield from self._run(np.frombuffer(mapping, np.uint8))  # keeps the mapping alive

    def _run(self, content: Any) -> Iterator[Any]:
        """Yield the calls of all threads."""
        threads = self._start(content)
        arrays, stop = call_arrays(), Stop.OUTPUT_FULL
        while stop == Stop.OUTPUT_FULL:
            calls = next(arrays)
            stop = Stop(run_threads(threads, calls))
            yield calls[: threads.run[0].calls]
        if stop != Stop.END:
            raise self._error(stop, threads.run[0])

    def _start(self, content: Any) -> Threads:
        """Read the header; return the threads at the beginning of their streams."""
        run = records(Run)[0]
        promised, starts = {Code.SLOTS: 0, Code.SYNCS: 0, Code.THREADS: 0}, list[int]()
        while (start := run.position) < min(len(content), MAX_HEADER):
            code = int(content[start])
            run.position = start + 1
            if code == Code.DONE:
                break
            if code not in (*promised, Code.START, Code.NOTHING):
                raise self._bad_code(start)
            value = read_number(content, run) if code != Code.NOTHING else 0
            if run.position < 0:
                raise self._bad_code(start)
            if code == Code.START:
                starts.append(int(value))
            elif code != Code.NOTHING:
                promised[Code(code)] = int(value)
        self._require_plausible(promised, starts, len(content))
        if len(starts) > 1:
            self.notes.append(
                f"the file orders its {len(starts)} threads only by their syncs: between these, "
                f"runnable threads took turns of {TURN} calls"
            )
        return start_threads(content, starts, promised[Code.SLOTS], promised[Code.SYNCS])

    def _require_plausible(self, promised: dict[Code, int], starts: list[int], length: int) -> None:
        """Raise TraceError for a header that promises more than the file can hold."""
        if (
            not 0 < len(starts) == promised[Code.THREADS] <= MAX_THREADS
            or promised[Code.SYNCS] > length
            or promised[Code.SLOTS] > MAX_SLOTS
            or max(starts) >= length
        ):
            text = ", ".join(f"{count:,} {code.name.lower()}" for code, count in promised.items())
            raise TraceError(
                f"{self.source.name}: the header promises {text}, which do not fit the "
                f"{length:,} bytes of the file or its {len(starts):,} thread starts; the file is "
                "damaged or cut off"
            )

    def _error(self, stop: Stop, run: Run) -> TraceError:
        """Return the error for a run that did not reach its end."""
        if stop == Stop.DEADLOCK:
            return TraceError(
                f"{self.source.name}: every remaining thread waits for a sync that none of them "
                "writes; the file is damaged"
            )
        return self._bad_code(int(run.position))

    def _bad_code(self, position: int) -> TraceError:
        """Return the error for bytes that are not a valid call."""
        return TraceError(
            f"{self.source.name}, byte {position}: not a call, cut off, or with a slot or sync "
            f"beyond the header's; expected one of {CODES}, and its numbers"
        )


FORMAT = Format(
    name="glibc-wl",
    summary="workloads of glibc's trace-utils: the .wl files that its trace2wl writes",
    looks_like=looks_like,
    open=WlReader,
)
