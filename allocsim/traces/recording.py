"""Runs the reader of a recording, and turns the recorded calls into events (see `event_maker`).

The trace also gets the counts of dropped calls, and sentences about what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np

from allocsim.errors import TraceError
from allocsim.events import Op, Trace
from allocsim.text import counted
from allocsim.traces.event_maker import EventMaker, by_reason
from allocsim.traces.losses import TRUNCATED, lost_calls
from allocsim.traces.object_ids import ObjectIds
from allocsim.traces.prefetch import read_ahead
from allocsim.traces.reader import Reader
from allocsim.traces.reasons import REASONS, Reason

SELECT_PROCESS = " (select a process with --process PID)"
"""End of the note on dropped processes. `allocsim record` replaces this text, because
the command has no option --process."""

MAX_SHOWN_PROCESSES = 5
"""Maximum number of dropped processes that the note names."""


def events_of(reader: Reader, trace: Trace, process: int | None = None) -> Iterator[Any]:
    """Yield the events of all calls of `reader` in chunks, then close the reader's source.

    The function adds notes, losses and counts of dropped calls to `trace`.
    """
    with closing(reader.source):
        total = 0
        for chunk in _with_ids(reader, trace, process):
            total += int(np.count_nonzero(chunk.op <= Op.FREE))
            yield chunk
        if reader.is_empty:
            reason = reader.losses[0] if reader.losses else reader.source.emptiness()
            raise TraceError(f"{trace.name}: {reason}")
        if total == 0 and process is not None and trace.dropped.get(REASONS[Reason.OTHER_PROCESS]):
            raise TraceError(
                f"{trace.name}: no call of process {process}; the recording has "
                f"{_most_calls(trace.processes)}"
            )
        if total == 0:
            trace.notes.append("no call of the recording became an event")
        trace.losses += _losses(reader, trace, total)


def _losses(reader: Reader, trace: Trace, events: int) -> list[str]:
    """Return sentences about what is missing from a recording that was read to its end."""
    truncated = [TRUNCATED] if reader.source.truncated else []
    lost = lost_calls(trace.dropped, events)
    return [*truncated, *reader.losses, *([lost] if lost else [])]


def _with_ids(reader: Reader, trace: Trace, process: int | None) -> Iterator[Any]:
    """Yield the events of all calls, and update the trace's counts of dropped calls."""
    maker = EventMaker(trace.name, process, sites=reader.sites)
    for calls in read_ahead(reader.batches()):
        yield from maker.events(calls)
        trace.dropped.update(by_reason(maker.ids.dropped))
    ids = maker.ids
    trace.dropped.clear()
    trace.dropped.update(by_reason(_completed(ids.dropped, reader)))
    if ids.state[0].processes:
        trace.processes.update(_other_processes(ids))
        trace.notes.append(
            f"using process {ids.state[0].process} only; dropped {_most_calls(trace.processes)}"
            f"{SELECT_PROCESS}"
        )


def _completed(dropped: np.ndarray, reader: Reader) -> np.ndarray:
    """Return the counts by reason, corrected by facts that are known only after the last batch."""
    counts = dropped.copy()
    counts[Reason.UNREADABLE] = reader.unreadable
    if reader.unknown_is_null:
        counts[Reason.FREE_OF_NULL] += counts[Reason.UNKNOWN_FREE]
        counts[[Reason.UNKNOWN_FREE, Reason.UNKNOWN_REALLOC]] = 0
    return counts


def _other_processes(ids: ObjectIds) -> dict[int, int]:
    """Return the number of dropped calls by process id."""
    table = ids.processes
    used = table.key != 0
    # A key is a process id plus one, because key 0 marks a free slot of the table.
    keys, counts = table.key[used].tolist(), table.number[used].tolist()
    return {key - 1: count for key, count in zip(keys, counts, strict=True)}


def _most_calls(others: dict[int, int]) -> str:
    """Return text such as "2 calls of process 8"; the processes with the most calls come first."""
    named = sorted(others, key=lambda process: (-others[process], process))[:MAX_SHOWN_PROCESSES]
    texts = [f"{counted(others[process], 'call')} of process {process}" for process in named]
    if len(named) < len(others):
        more = len(others) - len(named)
        texts.append(f"and calls of {counted(more, 'more process')}")
    return ", ".join(texts)
