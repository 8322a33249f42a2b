"""Run the cells (measurements) of a sweep on a cluster, with Dask's `distributed`.

Dask's client has an executor with the interface of concurrent.futures. The events of a workload are
copied once into the memory of each worker, so no shared disk is needed. A worker checks their hash
and keeps them for the cells that follow. If a worker is lost, Dask runs its cells on another
worker.
"""

from __future__ import annotations

import logging
import re
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import allocsim
from allocsim.errors import EnvironmentLacks, InputError
from allocsim.sweep.cell import Cell
from allocsim.sweep.executors import Place
from allocsim.sweep.remote import run_remotely, version_here
from allocsim.sweep.row import Row
from allocsim.sweep.workload import Workload, content_of

CONNECT = 10.0
"""Seconds to wait for the scheduler."""

PATIENCE = 60.0
"""The sweep ends if it has no worker for this many seconds."""


_ADDRESS = re.compile(r"(?:tcp|tls)://(?:\[([^\]\s]+)\]|([^:\s]+)):([0-9]{1,5})")


def require_scheduler(address: str) -> None:
    """Check the address of a scheduler.

    This is done before the workloads are read, because reading them may take minutes. Raises
    InputError if the address is malformed. Raises EnvironmentLacks if `distributed` is not
    installed or if no process listens at the address.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise InputError(f"--cluster {address}: expected tcp://HOST:PORT or tls://HOST:PORT")
    _distributed()
    try:
        socket.create_connection((match[1] or match[2], int(match[3])), CONNECT).close()
    except (OSError, OverflowError, UnicodeError) as error:  # the last two: invalid addresses
        raise _unreachable(address, error) from None


@contextmanager
def on_cluster(address: str, workloads: Sequence[Workload], jobs: int | None) -> Iterator[Place]:
    """Run cells on the workers of the scheduler at `address`, at most `jobs` at once.

    Raises EnvironmentLacks if `distributed` is not installed, if the scheduler does not answer or
    has no workers, or if the workers have another version of allocsim.
    """
    distributed = _distributed()
    # Dask logs a traceback when a connection is lost, and again when the interpreter ends. The
    # error is reported in one line instead.
    logging.disable(logging.CRITICAL)
    try:
        client = distributed.Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise _unreachable(address, error) from None
    with client:
        threads = _threads(client)
        _require_version(client, threads)
        slots = min(sum(threads.values()), jobs or sum(threads.values()))
        executor = client.get_executor(pure=False)
        events, watch = _Events(client, workloads), _Watch(client, address)

        def submit(cell: Cell) -> Future[Row]:
            """Submit a cell, with the events that it replays."""
            try:
                future: Future[Row] = executor.submit(run_remotely, cell, events.of(cell.trace))
            except Exception as error:  # Dask has no common class for its errors
                watch()
                raise EnvironmentLacks(f"the scheduler at {address} failed: {error}") from None
            return future

        yield Place(submit, slots, max(threads.values()), watch, is_local=False)


class _Events:
    """The events of the workloads in the memory of the workers."""

    def __init__(self, client: Any, workloads: Sequence[Workload]) -> None:
        self._client = client
        self._workloads = {each.trace: each for each in workloads}
        self._sent: dict[str, Any] = {}

    def of(self, trace: str) -> Any:
        """Return Dask's future of a workload's events; send them if no worker has them."""
        sent = self._sent.get(trace)
        if sent is None or sent.status != "finished":
            content = content_of(self._workloads[trace].events)
            self._sent[trace] = sent = self._client.scatter(content, broadcast=True)
        return sent


class _Watch:
    """Detects that the scheduler or all workers are gone."""

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address
        self._had_worker_at = time.monotonic()

    def __call__(self) -> None:
        """Raise EnvironmentLacks if the scheduler is gone, or has had no worker for PATIENCE s."""
        if self._client.status != "running":
            raise EnvironmentLacks(f"lost the connection to the scheduler at {self._address}")
        if _workers(self._client):
            self._had_worker_at = time.monotonic()
        elif time.monotonic() - self._had_worker_at > PATIENCE:
            raise EnvironmentLacks(f"the scheduler at {self._address} has lost all its workers")


def _unreachable(address: str, error: Exception) -> EnvironmentLacks:
    """Return the error for a scheduler that does not answer."""
    return EnvironmentLacks(f"cannot reach a scheduler at {address}: {error}")


def _distributed() -> Any:
    """Return the module distributed; raise EnvironmentLacks if it is not installed."""
    try:
        import distributed
    except ImportError:
        raise EnvironmentLacks(
            "--cluster requires Dask's distributed, which is not installed: "
            "pip install 'allocsim[cluster]'"
        ) from None
    return distributed


def _workers(client: Any) -> dict[str, Any]:
    """Return the scheduler's information on its workers, by their addresses."""
    workers: dict[str, Any] = client.scheduler_info(n_workers=-1)["workers"]
    return workers


def _require_version(client: Any, workers: Iterable[str]) -> None:
    """Raise EnvironmentLacks if a worker lacks allocsim or has another version of it."""
    for worker in workers:
        try:
            version = client.submit(version_here, workers=[worker], pure=False).result(CONNECT)
        except Exception as error:  # Dask raises what the worker raised, or its own errors
            raise EnvironmentLacks(f"the worker {worker} cannot run allocsim: {error}") from None
        if version != allocsim.__version__:
            raise EnvironmentLacks(
                f"the worker {worker} has allocsim {version}; expected {allocsim.__version__}"
            )


def _threads(client: Any) -> dict[str, int]:
    """Return the number of threads of each worker; raise EnvironmentLacks if no worker exists."""
    workers = _workers(client)
    if not workers:
        raise EnvironmentLacks("the scheduler has no workers; start some with `dask worker`")
    return {address: int(worker["nthreads"]) for address, worker in workers.items()}
