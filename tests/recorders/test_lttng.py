"""LTTng: its daemon, and recordings that run at the same time."""

import os
from pathlib import Path
from typing import Any

import pytest

from allocsim.events import Op
from allocsim.recorders import lttng, lttng_daemon
from allocsim.recorders.babeltrace import printed_by_babeltrace2
from allocsim.recorders.base import RecorderFailed, Request, work_directory
from allocsim.recorders.lttng_daemon import can_mount, running_daemon, tracing_session
from allocsim.recorders.program import find_program
from tests.recorders.requirements import compiled, one_recording_at_a_time, require
from tests.traces.recordings import events_of


def sessions(daemon: lttng_daemon.Daemon) -> str:
    return daemon.call("list").stdout


def test_two_daemons_run_side_by_side() -> None:
    """Neither daemon sees the session of the other, and each continues when the other ends."""
    require("lttng", "true")
    if os.geteuid() == 0 and not can_mount():
        pytest.skip("root may not mount, so LTTng serves one recording at a time")
    with (
        work_directory() as first,
        work_directory() as second,
        running_daemon(first) as one,
        tracing_session(first, one),
    ):
        with running_daemon(second) as other:
            assert "allocsim-" in sessions(one)
            assert "allocsim-" not in sessions(other)
        assert not other.answers()
        assert one.answers()


def test_directory_with_a_long_path_is_an_error(tmp_path: Path) -> None:
    message = r"is too long for LTTng's sockets; set TMPDIR to a shorter path"
    with pytest.raises(RecorderFailed, match=message), running_daemon(tmp_path / ("x" * 80)):
        pass


def test_daemon_that_does_not_start_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The messages of the daemon are part of the error."""
    tool = tmp_path / "lttng-sessiond"
    tool.write_text("#!/bin/sh\necho no room >&2; exit 1\n")
    tool.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(lttng_daemon.Daemon, "answers", lambda _: False)
    monkeypatch.setattr(lttng_daemon, "LOCK", f"\0allocsim-test-{os.getpid()}")
    message = "lttng-sessiond, does not start: no room"
    with (
        work_directory() as directory,
        pytest.raises(RecorderFailed, match=message),
        running_daemon(directory),
    ):
        pass


def test_root_that_cannot_mount_records_once_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(lttng_daemon, "can_mount", lambda: False)
    monkeypatch.setattr(lttng_daemon, "LOCK", f"\0allocsim-test-{os.getpid()}")
    monkeypatch.setattr(lttng_daemon.Daemon, "answers", lambda _: True)
    message = "another recording by root is running"
    with work_directory() as directory, running_daemon(directory) as daemon:
        assert daemon.prefix == ()
        with pytest.raises(RecorderFailed, match=message), running_daemon(directory):
            pass


THREADS = r"""
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
static void *work(void *count) {
    for (int i = 0; i < *(int *)count; i++) {
        void *block;
        free(calloc(3, i)); free(realloc(malloc(i), 2 * i)); free(aligned_alloc(64, 64));
        if (!posix_memalign(&block, 32, i)) free(block);
        free(valloc(10)); free(pvalloc(10));
    }
    return NULL;
}
int main(void) {
    pthread_t threads[4];
    int count = 200;
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, work, &count);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    return 0;
}
"""


def by_thread(events: Any) -> list[list[tuple[int, ...]]]:
    """The operations, sizes and alignments of each thread, without the threads' numbers."""
    return sorted(
        events[events.thread == thread][["op", "request", "alignment"]].tolist()
        for thread in set(events.thread.tolist())
    )


def test_recording_is_read_as_babeltrace2_prints_it(tmp_path: Path) -> None:
    """The two readers give the same events of each thread.

    Calls on two CPUs may have the same time stamp. Their order is then arbitrary, and so are the
    numbers of objects and threads.
    """
    require("lttng", "true")
    program = compiled(tmp_path, "threads", THREADS, "-w", "-pthread")
    request = Request(find_program([str(program)]))
    with one_recording_at_a_time(), work_directory() as directory:
        outcome = lttng.run(request, directory)
        with printed_by_babeltrace2(directory, outcome.process) as printed:
            expected = events_of(printed)
        with lttng.read(directory, outcome) as trace:
            events = events_of(trace)
            assert (trace.losses, trace.dropped) == ([], printed.dropped)
    assert by_thread(events) == by_thread(expected)
    aligned = events[events.op == Op.MEMALIGN]
    assert len(aligned) >= 4 * 4 * 200
    assert len(set(events.thread.tolist())) == 5
