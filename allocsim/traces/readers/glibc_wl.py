"""Workloads of glibc's trace-utils: .wl files, which its trace2wl writes and its trace_run replays.

A workload has a stream of calls for each thread. Its header gives the offset at which each stream
begins, and the numbers of threads, slots and syncs. A slot is a variable that holds one pointer; a
call names a block by its slot instead of its address. If a pointer is stored into a slot that
already has a block, this reader frees that block. trace_run frees it too, except when the pointer
comes from a realloc. A thread that waits for a sync continues once another thread has written the
sync; `glibc_wl_threads` uses the syncs to merge the streams into one.

The streams may begin anywhere, so the file is read by offset. A compressed file or standard input
is first copied to an unnamed file. Memory use depends on the number of live blocks and on the
number of syncs (16 bytes for each sync), but not on the lengths of the streams (see WINDOWS).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from allocsim.core.tables import records
from allocsim.errors import TraceError
from allocsim.events import MAX_THREADS
from allocsim.text import counted
from allocsim.traces.formats import Format
from allocsim.traces.prefetch import call_arrays
from allocsim.traces.reader import Reader
from allocsim.traces.readers.glibc_wl_codes import Code
from allocsim.traces.readers.glibc_wl_threads import (
    TURN,
    Run,
    Stop,
    Threads,
    read_number,
    run_threads,
    start_threads,
)

MAX_SLOTS = 1 << 50
"""Maximum number of slots that a header may promise. The address of a block is SLOT_SIZE times the
number of its slot, so every address has fewer than `calls.ADDRESS_BITS` bits."""

MAX_HEADER = 1 << 20
"""Maximum bytes of a header. A file with a longer header is not a workload."""

WINDOWS = 64 << 20
"""Maximum bytes of all windows together. A window is the part of a thread's stream that is in
memory."""

MAX_WINDOW = 1 << 16
"""Maximum bytes of one window. With MAX_THREADS threads, a window has 1 KiB."""

CODES = ", ".join(f"{code} {code.name.lower()}" for code in Code)
"""The byte codes and their names, for error messages."""


def looks_like(head: bytes) -> bool:
    """Return whether a file begins with a header: slots, syncs, threads, and a thread's start."""
    wanted, content = [Code.SLOTS, Code.SYNCS, Code.THREADS, Code.START], head[:64]
    for code in wanted:
        if content[:1] != bytes([code]):
            return False
        # Skip the code and its operand: bytes with bit 7 set, and one byte without.
        content = content[1:].lstrip(bytes(range(0x80, 0x100)))[1:]
    return True


class WlReader(Reader):
    """The calls of a workload."""

    def batches(self) -> Iterator[Any]:
        """Yield the calls in arrays that are reused in turn (see `prefetch.call_arrays`)."""
        with self.source.as_file() as file:
            yield from self._run(file.fileno())

    def _run(self, file: int) -> Iterator[Any]:
        """Yield the calls of all threads in the file with this descriptor."""
        threads = self._start(file)
        arrays, stop, run = call_arrays(), Stop.OUTPUT_FULL, threads.run[0]
        while stop == Stop.OUTPUT_FULL:
            calls, run.calls = next(arrays), 0
            while (stop := Stop(run_threads(threads, calls))) == Stop.WINDOW_USED:
                self._fill_window(file, threads)
            yield calls[: run.calls]
        if stop != Stop.END:
            raise self._error(stop, threads)

    def _fill_window(self, file: int, threads: Threads) -> None:
        """Fill the window of the current thread with the next bytes of the thread's stream."""
        run, number = threads.run[0], int(threads.run[0].first) - 1
        thread, size = threads.threads[number], len(threads.content) // len(threads.threads)
        offset, begin = int(thread.position + thread.offset), number * size
        content = self._read(file, min(size, int(run.length) - offset), offset)
        threads.content[begin : begin + len(content)] = content
        thread.position, thread.end, thread.offset = begin, begin + len(content), offset - begin

    def _read(self, file: int, count: int, offset: int) -> Any:
        """Return `count` bytes at `offset`; raise TraceError if the file has fewer."""
        try:
            content = bytearray(os.pread(file, count, offset))
        except OSError as error:
            reason = error.strerror or error
            raise TraceError(f"{self.source.name}: cannot be read: {reason}") from error
        if len(content) < count:
            raise TraceError(
                f"{self.source.name}: the file ends after "
                f"{counted(offset + len(content), 'byte')}; it was cut off while it was read"
            )
        return np.frombuffer(content, np.uint8)

    def _start(self, file: int) -> Threads:
        """Read the header; return the threads at the beginning of their streams."""
        length = os.fstat(file).st_size
        if not length:
            raise TraceError(f"{self.source.name}: {self.source.emptiness()}")
        content = self._read(file, min(length, MAX_HEADER), 0)
        run = records(Run)[0]
        run.end = len(content)
        promised, starts = {Code.SLOTS: 0, Code.SYNCS: 0, Code.THREADS: 0}, list[int]()
        while (start := run.position) < len(content):
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
        self._require_plausible(promised, starts, length)
        if len(starts) > 1:
            self.notes.append(
                f"the file orders its {len(starts)} threads only by their syncs; where the syncs "
                f"allow several orders, the import took {TURN} calls of each thread in turn"
            )
        window = min(WINDOWS // len(starts), MAX_WINDOW)
        return start_threads(length, starts, promised[Code.SLOTS], promised[Code.SYNCS], window)

    def _require_plausible(self, promised: dict[Code, int], starts: list[int], length: int) -> None:
        """Raise TraceError if the header promises more than the file can contain."""
        if (
            not 0 < len(starts) == promised[Code.THREADS] <= MAX_THREADS
            or promised[Code.SYNCS] > length
            or promised[Code.SLOTS] > MAX_SLOTS
            or max(starts) >= length
        ):
            text = ", ".join(f"{count:,} {code.name.lower()}" for code, count in promised.items())
            raise TraceError(
                f"{self.source.name}: the header promises {text}, but the file has {length:,} "
                f"bytes and {counted(len(starts), 'thread start')}; the file is damaged or cut off"
            )

    def _error(self, stop: Stop, threads: Threads) -> TraceError:
        """Return the error for `stop`, which is Stop.DEADLOCK or Stop.BROKEN."""
        if stop == Stop.DEADLOCK:
            return TraceError(
                f"{self.source.name}: deadlock: all remaining threads wait for syncs (signals) "
                "that no thread will send; the file is damaged"
            )
        run = threads.run[0]
        return self._bad_code(int(run.position + threads.threads[run.first - 1].offset))

    def _bad_code(self, position: int) -> TraceError:
        """Return the error for bytes that are not a valid call."""
        return TraceError(
            f"{self.source.name}, byte {position}: no valid call (unknown code, missing bytes, or "
            f"a slot or sync number above the header's maximum); expected one of {CODES}, followed "
            "by the operands of the call"
        )


FORMAT = Format(
    name="glibc-wl",
    summary="workloads of glibc's trace-utils: the .wl files that its trace2wl writes",
    looks_like=looks_like,
    open=WlReader,
)
