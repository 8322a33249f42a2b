"""Recorders that record nothing, for tests that need no program."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from allocsim import recorders
from allocsim.errors import TraceError
from allocsim.events import Trace, no_events
from allocsim.recorders.base import Recorder, RecorderFailed
from allocsim.recorders.program import Outcome, Program

PROGRAM = Program(("prog", "x"), "/bin/prog")


def fake(
    name: str,
    missing: str | None = None,
    fails: bool = False,
    events: int = 1,
    broken: bool = False,
    children: dict[int, int] | None = None,
) -> Recorder:
    """A recorder whose program ends with status 5 and makes so many events."""

    def run(_: Program, directory: Path) -> Outcome:
        if fails:
            raise RecorderFailed("no daemon")
        (directory / "raw").write_bytes(bytes(2048))
        return Outcome(1, 5, 0.25)

    @contextmanager
    def read(directory: Path, _: Outcome) -> Iterator[Trace]:
        def chunks() -> Iterator[object]:
            if events:
                chunk = no_events(events)
                chunk.object[:] = range(events)
                yield chunk
            if broken:
                raise TraceError("raw, line 5: broken")

        description = {"format": "fake", "file": "/gone/raw"}
        trace = Trace("raw", chunks(), description, dropped={"free of NULL": 1234})
        trace.processes |= children or {}
        yield trace

    return Recorder(name, "exact", f"apt install {name}", lambda _: missing, run, read)


def install(monkeypatch: pytest.MonkeyPatch, *known: Recorder) -> None:
    """Make these the recorders."""
    monkeypatch.setattr(recorders, "RECORDERS", known)
