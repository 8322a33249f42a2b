"""The event files on a worker of a cluster: checked, kept for later cells, and finally closed."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from allocsim.benchmark.event_file import EventFile, map_events
from allocsim.errors import InputError
from allocsim.sweep import remote
from allocsim.sweep.cell import Cell
from allocsim.sweep.row import Row
from allocsim.sweep.workload import content_of, hash_of
from tests.driving import malloc, stream
from tests.sweep.cells import cell, row


@pytest.fixture
def contents(event_file: Callable[..., EventFile]) -> list[bytes]:
    """The events of six workloads."""
    return [content_of(event_file(stream(*(malloc(n, 8) for n in range(k + 1))))) for k in range(6)]


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[remote._Store]:
    """An empty store of event files."""
    made = remote._Store()
    monkeypatch.setattr(remote, "_store", made)
    yield made
    made._files.clear()


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[EventFile]:
    """The files passed to `run_cell`, which is replaced and measures nothing."""
    files: list[EventFile] = []

    def run_cell(_: Cell, events: EventFile) -> Row:
        files.append(events)
        return row()

    monkeypatch.setattr(remote, "run_cell", run_cell)
    return files


def test_events_are_those_that_were_sent_and_are_kept(
    contents: list[bytes], ran: list[EventFile]
) -> None:
    for _ in range(2):
        remote.run_remotely(cell(trace=hash_of(contents[2])), contents[2])
    assert ran[0] is ran[1]
    assert map_events(ran[0].descriptor).request.tolist() == [8, 8, 8]


def test_damaged_events_are_refused(contents: list[bytes], ran: list[EventFile]) -> None:
    with pytest.raises(InputError, match="the events of w were damaged on the way to the worker"):
        remote.run_remotely(cell(trace=hash_of(contents[2])), contents[3])
    assert ran == []


def test_only_the_workloads_used_last_stay_open(
    contents: list[bytes], ran: list[EventFile]
) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for content in contents:
        remote.run_remotely(cell(trace=hash_of(content)), content)
        ran.clear()
    assert len(list(Path("/proc/self/fd").iterdir())) == before + remote.MAX_KEPT


def test_events_cannot_be_changed(contents: list[bytes], ran: list[EventFile]) -> None:
    remote.run_remotely(cell(trace=hash_of(contents[1])), contents[1])
    with pytest.raises(PermissionError):
        os.pwrite(ran[0].descriptor, b"x", 0)
    assert Path(f"/proc/self/fd/{ran[0].descriptor}").exists()
