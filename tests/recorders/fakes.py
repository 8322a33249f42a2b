"""Fake recorders that record nothing, for tests that need no program."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from allocsim import recorders
from allocsim.capabilities import Capabilities
from allocsim.errors import TraceError
from allocsim.events import Trace, no_events
from allocsim.program_run import ProgramRun
from allocsim.recorders.base import Recorder, RecorderFailed, Request
from allocsim.recorders.program import Outcome, Program

PROGRAM = Program(("prog", "x"), "/bin/prog")

REQUEST = Request(PROGRAM)

PROCESS = 1
"""Process id of the program."""

EVERYTHING = Capabilities("yes", "yes", "yes", "yes")


def fake(
    name: str,
    missing: str | None = None,
    fails: bool = False,
    events: int = 1,
    broken: bool = False,
    children: dict[int, int] | None = None,
    capabilities: Capabilities = EVERYTHING,
    status: int = 5,
    dropped: dict[str, int] | None = None,
    program_run: ProgramRun | None = None,
    **traits: Any,
) -> Recorder:
    """Return a recorder whose program makes `events` events and exits with `status`.

    `children` maps the ids of other processes to their numbers of events.
    """

    def run(_: Request, directory: Path) -> Outcome:
        """Write a recording, or fail."""
        if fails:
            raise RecorderFailed("no daemon")
        (directory / "raw").write_bytes(bytes(2048))
        return Outcome(PROCESS, status, 0.25, program_run)

    @contextmanager
    def read(directory: Path, outcome: Outcome) -> Iterator[Trace]:
        """Open the trace."""
        count = events if outcome.process == PROCESS else (children or {})[outcome.process]

        def chunks() -> Iterator[object]:
            """Yield the events; raise TraceError if the recording is broken."""
            if count:
                chunk = no_events(count)
                chunk.object[:] = range(count)
                yield chunk
            if broken:
                raise TraceError("raw, line 5: broken")

        description = {"format": "fake", "file": "/gone/raw"}
        trace = Trace("raw", chunks(), description, dropped=dropped or {"free of NULL": 1234})
        trace.processes |= children or {}
        yield trace

    return Recorder(
        name=name,
        summary="exact",
        install=f"apt install {name}",
        capabilities=capabilities,
        missing=lambda _: missing,
        run=run,
        read=read,
        **traits,
    )


def install(monkeypatch: pytest.MonkeyPatch, *known: Recorder) -> None:
    """Replace the list of recorders by `known`."""
    monkeypatch.setattr(recorders, "RECORDERS", known)
