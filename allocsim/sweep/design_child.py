"""The child process that replays workloads on designs, one cell after the other.

A cell is one measurement of one design on one workload. The kernels are loaded once, and each
workload is mapped once. Every cell gets a new heap, which is unmapped before the next cell.
Requests come as lines of JSON on standard input, and answers go as lines of JSON to a pipe. The
process ends when its standard input is closed, when its parent ends, or after IDLE seconds without
a request.
"""

from __future__ import annotations

import os
import resource
import select
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from allocsim.benchmark.event_file import map_events
from allocsim.benchmark.subject import make_subject
from allocsim.core import compile_notice
from allocsim.core.available_memory import available_memory
from allocsim.designs.explain import explain
from allocsim.driver import Touch
from allocsim.errors import AllocsimError
from allocsim.player import NEVER, Options, Player
from allocsim.sweep.row import Footprint

PART = 1 << 18
"""Number of events that one call of the kernel replays. The call itself costs 0.15 ms. After each
event, the kernel adds the footprint to a sum, which is an int64. The sum cannot overflow if every
footprint is below 32 TiB."""

IDLE = 120.0
"""Seconds without a request after which the process ends."""


class Request(msgspec.Struct, kw_only=True):
    """A replay on a design."""

    subject: str
    trace: str
    """SHA-256 of the events."""
    path: str
    """Path of the file of events: an entry of /proc that stands for an open descriptor."""
    limit: int | None
    reserve: int
    sharers: int
    """Number of processes that share the available memory."""


class Answer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An answer to the parent, sent as one line."""

    stage: str
    """"started" once. Then, for each request: "compiling" if something is compiled, "ready" before
    the replay, and "done" at the end."""
    kernels: str = ""
    """In "compiling": the group of kernels."""
    seconds: float = 0
    """In "compiling": the CPU-seconds that the compilation is likely to take."""
    memory: Footprint | None = None
    failure: str | None = None


def main(answers: int) -> None:
    """Serve requests until there are no more; write the answers to the descriptor `answers`."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash writes no core file

    def send(answer: Answer) -> None:
        """Send an answer."""
        os.write(answers, msgspec.json.encode(answer) + b"\n")

    compile_notice.report = lambda kernels, seconds: send(
        Answer(stage="compiling", kernels=kernels, seconds=seconds)
    )
    send(Answer(stage="started"))
    while select.select([sys.stdin], [], [], IDLE)[0]:
        line = sys.stdin.readline()
        if not line:
            break
        send(_answer(msgspec.json.decode(line, type=Request), send))


def _answer(request: Request, send: Callable[[Answer], None]) -> Answer:
    """Replay, and return the figures or the failure."""
    try:
        return Answer(stage="done", memory=_replay(request, send))
    except AllocsimError as error:
        return Answer(stage="done", failure=str(error))
    except Exception as error:
        if (explained := explain(error)) is None:
            raise
        return Answer(stage="done", failure=explained)


def _replay(request: Request, send: Callable[[Answer], None]) -> Footprint:
    """Replay all events on a new heap, and close it."""
    events = _events(request.trace, request.path)
    heap = make_subject(request.subject, request.reserve).heap
    assert heap is not None
    with heap:
        player = Player(heap, _options(request), len(events))
        send(Answer(stage="ready"))
        for position in range(0, len(events), PART):
            player.replay_chunk(events[position : position + PART])
        return _footprint(player)


def _options(request: Request) -> Options:
    """Return the options of a replay without samples.

    Nothing is written to the objects, because no figure of a design depends on their contents, and
    the page faults would take milliseconds.
    """
    return Options(
        touch=Touch.NONE,
        limit=request.limit,
        every=NEVER,
        available=lambda: available_memory() // request.sharers,
    )


def _footprint(player: Player) -> Footprint:
    """Return the figures of a replay."""
    moments = {moment.name: moment for moment in player.moments()}
    peak, end = moments["peak"], moments["end"]
    return Footprint(
        peak=peak.footprint,
        peak_event=peak.event or 0,
        live_at_peak=peak.live,
        peak_live=moments["live-peak"].live,
        end=end.footprint,
        live_at_end=end.live,
        mean=moments["mean"].footprint,
    )


@lru_cache(maxsize=64)
def _events(_trace: str, path: str) -> Any:
    """Map a file of events, once. Its pages are shared with all other processes that map it.

    `_trace` distinguishes files that had the same path at different times.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return map_events(descriptor)
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    main(int(sys.argv[1]))
