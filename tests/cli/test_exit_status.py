"""Exit statuses: 0 on success, 1 for a failed check, 3 for lack of a resource; no traceback."""

import errno
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from allocsim.cli import _discard
from tests.cli.conftest import File, Run
from tests.cli.running import ENVIRONMENT, limited, process


def test_job_of_more_events_than_64_bits_is_an_error(run: Run, file: File) -> None:
    """The job is valid, but soon needs more memory than the limit allows."""
    file(
        "my.toml",
        'kind = "sweep"\nfirst = "1TiB"\nlast = "128TiB"\nstep = 1\nobjects = 1\n'
        "rounds = 1_000_000_000_000_000\n",
    )
    ended = run("run my.toml")
    assert (ended.status, ended.out) == (3, "")
    assert "does not fit" in ended.err


@pytest.mark.parametrize(("option", "status"), [("--version", 0), ("--nosuch", 2)])
def test_status_is_that_of_the_run_although_python_would_go_on(option: str, status: int) -> None:
    """With PYTHONINSPECT, Python prints a traceback for every SystemExit, and ends with 1."""
    ended = process(option, env=ENVIRONMENT | {"PYTHONINSPECT": "1"}, stdin=subprocess.DEVNULL)
    assert ended.status == status


def test_limit_is_1(run: Run) -> None:
    ended = run("random --ops 100 --limit 1KiB")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("allocsim: error: the footprint, ")


def test_frozen_heap_that_must_grow_is_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second round allocates more than the first."""
    from allocsim.events import no_events
    from allocsim.generators.repeat import Repeat

    honest = Repeat.events

    def growing(self: Repeat) -> object:
        yield from honest(self)
        more = no_events(1)
        more.request[:] = 8 << 20
        yield more

    monkeypatch.setattr(Repeat, "events", growing)
    ended = run("repeat --size 100 --rounds 2")
    assert (ended.status, ended.out) == (1, "")
    assert (
        "event 5 (object 0, thread 0, 8,388,608 bytes) needs more memory, and the heap" in ended.err
    )


def test_corruption_is_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from allocsim.heap import Heap

    monkeypatch.setattr(Heap, "check", lambda _: ["span 1 is wrong"])
    ended = run("random --ops 100 --check-every 10")
    assert (ended.status, ended.out) == (1, "")
    assert ended.err == "allocsim: error: after event 10: span 1 is wrong\n"


def test_failed_reservation_is_3() -> None:
    ended = process("random", "--ops", "100", preexec_fn=limited(resource.RLIMIT_AS, 8 << 30))
    assert (ended.status, ended.out) == (3, "")
    assert "cannot reserve 64.0 GiB of address space" in ended.err
    assert "use a smaller --reserve, such as 1GiB" in ended.err


@pytest.mark.compiled
def test_smaller_reservation_fits_into_a_limit() -> None:
    line = ("random", "--ops", "100", "--reserve", "1GiB", "--json")
    ended = process(*line, preexec_fn=limited(resource.RLIMIT_AS, 8 << 30))
    assert ended.status == 0, ended.err
    assert json.loads(ended.out)["events"] == 100


def test_module_that_cannot_be_loaded_is_3(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """NumPy's message has several lines; the last line is the reason."""

    def no_room(*_: object) -> None:
        raise ImportError("a long story\nfailed to map segment from shared object\n")

    monkeypatch.setattr("allocsim.jobs.make_generator", no_room)
    ended = run("random")
    reason = "failed to map segment from shared object"
    assert ended.err == f"allocsim: error: cannot load a Python module: {reason}\n"
    assert (ended.status, ended.out) == (3, "")


def test_output_is_discarded_without_a_free_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_descriptor(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("allocsim.cli.os.open", no_descriptor)
    _discard(sys.stdout)


def test_out_of_memory_is_3(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("allocsim.jobs.make_generator", no_memory)
    ended = run("random")
    assert (ended.status, ended.out) == (3, "")
    assert "out of memory" in ended.err


@pytest.mark.compiled
def test_success_is_0_and_stderr_stays_empty() -> None:
    ended = process("random", "--ops", "100")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("random on go2008: 100 events")


@pytest.mark.compiled
@pytest.mark.parametrize("option", ["--export-json", "--export-csv", "--export-markdown"])
def test_file_name_of_any_bytes_is_no_error(tmp_path: Path, option: str) -> None:
    """The reports repeat the command line, which need not be UTF-8."""
    name = os.fsdecode(b"\xff.out")
    ended = process("random", "--ops", "100", option, name, cwd=tmp_path)
    assert ended.status == 0
    assert [os.fsencode(path.name) for path in tmp_path.iterdir()] == [b"\xff.out"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("can't start new thread"), "no further process or thread can be started"),
        (
            OSError(errno.EAGAIN, "Resource temporarily unavailable"),
            "raise the limit (ulimit -u)",
        ),
        (
            BlockingIOError(errno.EAGAIN, "write could not complete without blocking", 0),
            "cannot write the output: write could not complete without blocking",
        ),
        (OSError(errno.EMFILE, "Too many open files"), "too many open files; raise the limit"),
    ],
)
def test_limit_of_the_system_is_3(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def limited(_: object) -> None:
        raise error

    monkeypatch.setattr("allocsim.jobs.make_generator", limited)
    ended = run("random")
    assert ended.status == 3
    assert message in ended.err
