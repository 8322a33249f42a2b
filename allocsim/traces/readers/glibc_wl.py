"""The workloads of glibc's trace-utils: .wl files, which its trace2wl writes and trace_run plays.

A reader: bytes to calls. The header says how many pointers, syncs and threads there are, and where
the stream of each thread begins; `wl_threads` runs these by their syncs into a single stream. Slots
stand for addresses, not for blocks: what is put where a block lives ends that block, as trace_run
does but in realloc. Its one rule: the threads' streams lie anywhere in the file, so the file is
mapped, not read; in a container or from a pipe it is first copied to an unnamed file. Memory is
bounded by the live blocks, the syncs, 16 bytes each, and what the kernel keeps of the mapping.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from mmap import ACCESS_READ, mmap
from typing import Any

import numpy as np

from allocsim.errors import TraceError
from allocsim.events import MOST_THREADS
from allocsim.traces.calls import no_calls
from allocsim.traces.formats import CUT_CONTAINER, Format
from allocsim.traces.prefetch import AHEAD
from allocsim.traces.readers.glibc_wl_threads import (
    RUN,
    TURN,
    Code,
    Stop,
    number,
    run_threads,
    started,
)
from allocsim.traces.source import Source

MOST_SLOTS = 1 << 50
"""Slots that a header may promise."""

ENDLESS = 1 << 20
"""Bytes in which the header ends, unless it is that of something else."""

CODES = ", ".join(f"{code} {code.name.lower()}" for code in Code)


def looks_like(head: bytes) -> bool:
    """Whether a file begins with a header: pointers, syncs, threads, and a thread's beginning."""
    wanted, content = [Code.SLOTS, Code.SYNCS, Code.THREADS, Code.START], head[:64]
    for code in wanted:
        if content[:1] != bytes([code]):
            return False
        content = content[1:].lstrip(bytes(range(0x80, 0x100)))[1:]
    return True


class WlReader:
    """The calls of a workload."""

    is_empty = False
    """A workload is never empty: it has a header."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.notes: list[str] = []

    def batches(self) -> Iterator[Any]:
        """Arrays of CALL; each is used again when AHEAD + 2 more were made."""
        with self.source.as_file() as file:
            if self.source.truncated:
                self.notes.append(CUT_CONTAINER)
            try:
                mapping = mmap(file.fileno(), 0, access=ACCESS_READ)
            except (OSError, ValueError) as error:
                raise TraceError(f"{self.source.name}: cannot be mapped: {error}") from error
            yield from self._run(np.frombuffer(mapping, np.uint8))  # which holds the mapping

    def _run(self, content: Any) -> Iterator[Any]:
        """The calls of all threads."""
        state = self._started(content)
        arrays, stop = cycle([no_calls() for _ in range(AHEAD + 2)]), Stop.FULL
        while stop == Stop.FULL:
            calls = next(arrays)
            stop = Stop(run_threads(state, calls))
            yield calls[: state.run[0].calls]
        if stop != Stop.END:
            raise self._error(stop, state.run[0])

    def _started(self, content: Any) -> Any:
        """The threads at their beginnings, as the header says."""
        run = np.zeros(1, RUN).view(np.recarray)[0]
        promised, starts = {Code.SLOTS: 0, Code.SYNCS: 0, Code.THREADS: 0}, list[int]()
        while (begun := run.position) < min(len(content), ENDLESS):
            code = int(content[begun])
            run.position = begun + 1
            if code == Code.DONE:
                break
            if code not in (*promised, Code.START, Code.NOTHING):
                raise self._broken(begun)
            value = number(content, run) if code != Code.NOTHING else 0
            if run.position < 0:
                raise self._broken(begun)
            if code == Code.START:
                starts.append(int(value))
            elif code != Code.NOTHING:
                promised[Code(code)] = int(value)
        self._require_sane(promised, starts, len(content))
        if len(starts) > 1:
            self.notes.append(
                f"the {len(starts)} threads are in no common order but for their syncs: those that "
                f"could go took turns of {TURN} calls"
            )
        return started(content, starts, promised[Code.SLOTS], promised[Code.SYNCS])

    def _require_sane(self, promised: dict[Code, int], starts: list[int], length: int) -> None:
        """TraceError for a header that promises what the file cannot hold."""
        if (
            not 0 < len(starts) == promised[Code.THREADS] <= MOST_THREADS
            or promised[Code.SYNCS] > length
            or promised[Code.SLOTS] > MOST_SLOTS
            or max(starts) >= length
        ):
            told = ", ".join(f"{count:,} {code.name.lower()}" for code, count in promised.items())
            raise TraceError(
                f"{self.source.name}: the header promises {told}, and the {length:,} bytes of the "
                f"file do not hold them, or not {len(starts):,} threads: it is damaged or cut"
            )

    def _error(self, stop: Stop, run: Any) -> TraceError:
        """The error for a run that came to no end."""
        if stop == Stop.STUCK:
            return TraceError(
                f"{self.source.name}: every thread that is left waits for a sync that none of them "
                "writes: the file is damaged"
            )
        return self._broken(int(run.position))

    def _broken(self, position: int) -> TraceError:
        """The error for bytes that are no call."""
        return TraceError(
            f"{self.source.name}, byte {position}: no call is here, or it is cut off, or it names "
            f"what was not promised; expected one of {CODES}, and its numbers"
        )


FORMAT = Format(
    name="glibc-wl",
    summary="workloads of glibc's trace-utils: the .wl files that its trace2wl writes",
    looks_like=looks_like,
    open=WlReader,
)
