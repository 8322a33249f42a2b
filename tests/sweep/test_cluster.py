"""A sweep on a real Dask scheduler with two workers, which are killed during the sweep."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from allocsim.errors import EnvironmentLacks
from allocsim.sweep.cluster import require_scheduler
from tests.cli.running import ENVIRONMENT, PATIENCE, command, process

needs_dask = pytest.mark.skipif(
    find_spec("distributed") is None, reason="needs distributed: pip install 'allocsim[cluster]'"
)

CALLS = "1: malloc 0x10 500000\n1: malloc 0x20 50\n1: free 0x10\n1: calloc 0x10 3 50\n"
GRID = ("--on", "go2008,glibc:startup=none", "-L", "tcache_count=0,7", "-P", "mxfast=0:128:8")
CELLS = 35


@dataclass
class Cluster:
    """A scheduler and its workers, as processes."""

    scheduler: "subprocess.Popen[bytes]"
    workers: "list[subprocess.Popen[bytes]]"
    address: str

    def kill_all(self) -> None:
        for each in (*self.workers, self.scheduler):
            each.kill()
            each.wait()


def _dask(role: str, *options: str) -> "subprocess.Popen[bytes]":
    """Start a scheduler or a worker that finds the scheduler by a file."""
    given = ["--scheduler-file", "scheduler.json", "--no-dashboard", *options]
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{role}", *given],
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A cluster on this machine, in an empty directory with a recording."""
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text(CALLS)
    scheduler = _dask("scheduler", "--host", "127.0.0.1", "--port", "0")
    found = Cluster(scheduler, [], "")
    try:
        _wait_for(_address, scheduler)
        found.address = _address()
        one_thread = ("--nthreads", "1", "--no-nanny")
        found.workers += [_dask("worker", *one_thread) for _ in range(2)]
        yield found
    finally:
        found.kill_all()


def _address() -> str:
    """Return the address of the scheduler, or "" while its file is missing or incomplete."""
    try:
        return str(json.loads(Path("scheduler.json").read_text())["address"])
    except (OSError, ValueError):
        return ""


def _wait_for(condition: Any, child: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert child.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _sweep(cluster: Cluster) -> "subprocess.Popen[bytes]":
    """Wait for both workers, start a sweep, and wait for some rows."""
    given = ("sweep", "a.txt", *GRID, "--cluster", cluster.address)
    deadline = time.monotonic() + PATIENCE
    child = subprocess.Popen(
        command(*given), env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    while len(_rows()) < 5:
        if child.poll() is not None:  # the workers had not registered yet
            assert b"has no workers" in child.communicate()[1]
            child = subprocess.Popen(
                command(*given), env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return child


def _rows() -> list[str]:
    path = Path("sweep.jsonl")
    return path.read_text().splitlines() if path.exists() else []


def _subjects() -> list[str]:
    return [json.loads(line)["subject"] for line in _rows()]


@needs_dask
@pytest.mark.slow
def test_worker_and_scheduler_are_lost_and_no_cell_is(cluster: Cluster) -> None:
    child = _sweep(cluster)
    cluster.workers[0].kill()
    _wait_for(lambda: len(_rows()) >= 12 or child.poll() is not None, cluster.scheduler)
    cluster.scheduler.kill()
    err = child.communicate(timeout=PATIENCE)[1].decode()
    assert "Traceback" not in err
    if child.returncode:  # 0 if the sweep ended before the scheduler was killed
        assert child.returncode == 3
        assert "the scheduler at" in err
        assert "; the sweep ended with" in err
        assert "in sweep.jsonl; repeat the command to continue" in err
    subjects = _subjects()
    assert len(set(subjects)) == len(subjects) >= 12
    done = process("sweep", "a.txt", *GRID)
    assert done.status == 0
    assert len(set(_subjects())) == len(_rows()) == CELLS
    assert not any(json.loads(line)["failure"] for line in _rows())
    figures = {json.loads(line)["subject"]: json.loads(line)["memory"] for line in _rows()}
    assert process("sweep", "a.txt", *GRID, "--out", "local.jsonl").status == 0
    local = [json.loads(line) for line in Path("local.jsonl").read_text().splitlines()]
    assert figures == {each["subject"]: each["memory"] for each in local}


@needs_dask
def test_cluster_that_is_not_there_is_status_3_before_the_first_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text(CALLS)
    ended = process("sweep", "a.txt", "--on", "go2008", "--cluster", "tcp://127.0.0.1:1")
    assert ended.status == 3
    assert "cannot reach a scheduler at tcp://127.0.0.1:1" in ended.err
    assert not Path("sweep.jsonl").exists()


@needs_dask
@pytest.mark.parametrize("host", ["a..b", "a" * 300])
def test_name_that_no_host_can_have_is_not_reached(host: str) -> None:
    with pytest.raises(EnvironmentLacks, match="cannot reach a scheduler"):
        require_scheduler(f"tcp://{host}:80")
