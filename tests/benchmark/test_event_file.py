"""The events of a workload in a file without a name."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from allocsim.benchmark.event_file import Recorded, record
from allocsim.errors import EnvironmentLacks, TraceError
from allocsim.events import EVENT, Op, Trace
from tests.driving import FREEZE, Call, free, malloc, stream


def events_in(recorded: Recorded) -> Any:
    return np.frombuffer(os.pread(recorded.descriptor, 1 << 20, 0), EVENT).view(np.recarray)


def open_files() -> set[str]:
    """The descriptors of this process."""
    return {place.name for place in Path("/proc/self/fd").iterdir()}


def test_all_events_are_there_on_one_thread(recorded: Callable[..., Recorded]) -> None:
    found = recorded(stream(malloc(0, 5, thread=3), malloc(1, 6)), stream(free(0, thread=2)))
    assert found.events == 3
    assert events_in(found).op.tolist() == [Op.MALLOC, Op.MALLOC, Op.FREE]
    assert events_in(found).request.tolist() == [5, 6, 0]
    assert not events_in(found).thread.any()


def test_notes_are_left_out(recorded: Callable[..., Recorded]) -> None:
    found = recorded(stream(malloc(0, 5), FREEZE, Call(Op.THREAD_DONE), free(0)))
    assert events_in(found).op.tolist() == [Op.MALLOC, Op.FREE]


def test_file_has_no_name(recorded: Callable[..., Recorded]) -> None:
    place = Path(f"/proc/self/fd/{recorded(stream(malloc(0, 5))).descriptor}")
    assert str(place.readlink()).endswith("(deleted)")


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(TraceError("line 3"), TraceError), (KeyboardInterrupt(), KeyboardInterrupt)],
    ids=["bad line", "Ctrl-C"],
)
def test_workload_that_breaks_off_leaves_nothing_open(
    raised: BaseException, expected: type[BaseException]
) -> None:
    def chunks() -> Iterator[Any]:
        yield stream(malloc(0, 5))
        raise raised

    before = open_files()
    with pytest.raises(expected):
        record(Trace("broken", chunks(), {}))
    assert open_files() == before


def test_memory_that_is_full_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(EnvironmentLacks, match="do not fit in memory: No space left"):
        record(Trace("large", iter([stream(malloc(0, 5))]), {}))
