"""A private LTTng session daemon, and a tracing session in it, for one recording.

With LTTNG_HOME, the daemon of a normal user has its sockets in the work directory. They are thus
separate from those of other recordings, and from those of a daemon that the user runs. If the user
is root, LTTng's daemon and its client commands ignore LTTNG_HOME and use /var/run/lttng. Each of
them therefore runs in its own mount namespace, in which a subdirectory of the work directory is
mounted at /var/run/lttng. The recorded program runs outside these namespaces and finds the daemon's
socket through LTTNG_HOME.

Where root may not mount (in most containers), all recordings by root share /var/run/lttng. Only one
recording is then allowed at a time. If a daemon is already running there, it is used and left
running.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from allocsim.recorders.base import RecorderFailed, run_command
from allocsim.recorders.lttng_watch import watched_session
from allocsim.signals import SignalsDeferred, on_interrupt

START_TIMEOUT = 120.0
"""Seconds that the daemon may take to answer. On an idle machine it takes a tenth of a second."""

STOP_TIMEOUT = 20.0
"""Seconds that the daemon may take to end."""

CHANNEL = ("--blocking-timeout=inf", "--subbuf-size=4M", "--num-subbuf=8")
"""Options for the channel's buffers. The program waits while they are full, so no event is lost."""

CONTEXTS = ("--type=vpid", "--type=vtid")
"""Data that every event has: its process and its thread."""

CALLER = ("--type=ip",)
"""The context with the address of the caller."""

LOADED_FILES = "lttng_ust_statedump:*"
"""Events that say which file is loaded at which address."""

OWN_THREADS = "-ust"
"""Suffix of the names of the tracer's own threads."""

NOT_THE_TRACER = f'$ctx.procname != "*{OWN_THREADS}"'
"""Filter that drops the calls of the tracer itself: 1,500 in each traced process. The filter costs
21 ns/event, measured with 4 M events."""

BUFFERS = 8 * (4 << 20)
"""Bytes of the channel's buffers for one CPU. Every traced process maps the buffers of all CPUs."""

MAX_SOCKET_PATH = 107
"""Maximum bytes in the path of a Unix socket: sun_path without the final zero."""

LONG_SOCKET = ".lttng/ustconsumerd64/command"
"""The socket below LTTNG_HOME that has the longest path."""

LOCK = "\0allocsim-lttng"
"""Name of an abstract socket that serves as a lock, if root records without the right to mount.
Unlike a lock file, the socket disappears with the process."""

MESSAGES = "daemon.txt"
"""File in the work directory that receives the daemon's output."""

MOUNT = 'mkdir -p /var/run/lttng && mount --bind "$0" /var/run/lttng && exec "$@"'
"""A shell script that mounts the directory $0 at /var/run/lttng, then executes a command."""


@dataclass(frozen=True)
class Daemon:
    """The environment and the commands with which a session daemon is started and called."""

    variables: dict[str, str]
    """Environment of the daemon's clients, and of the programs to be traced."""
    prefix: tuple[str, ...] = ()
    """Command that runs LTTng's tools in a mount namespace of their own."""
    options: tuple[str, ...] = ()
    """Options of lttng-sessiond."""
    process: int | None = None
    """Process id of the daemon, if it belongs to this recording."""

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Send a command to the daemon."""
        command = (*self.prefix, "lttng", "--no-sessiond", *arguments)
        return run_command(*command, env=os.environ | self.variables)

    def require(self, *arguments: str) -> None:
        """Send a command to the daemon; raise RecorderFailed with LTTng's message on failure."""
        result = self.call(*arguments)
        if result.returncode != 0:
            message = (result.stderr or result.stdout).strip()
            raise RecorderFailed(f"lttng {arguments[0]} failed: {message[-200:]}")

    def stop(self, session: str) -> None:
        """Stop a session unless it is stopped already; wait until its buffers are written."""
        self.call("stop", session)

    def answers(self) -> bool:
        """Return whether the daemon is running."""
        return self.call("list").returncode == 0


@contextmanager
def running_daemon(directory: Path) -> Iterator[Daemon]:
    """Provide a running daemon during the block, a private one where possible."""
    if len(os.fsencode(directory / LONG_SOCKET)) > MAX_SOCKET_PATH:
        raise RecorderFailed(
            f"the path '{directory.parent}' is too long for LTTng's sockets; set TMPDIR to a "
            "shorter path"
        )
    is_root = os.geteuid() == 0
    daemon = Daemon({"LTTNG_HOME": str(directory)})
    if is_root and can_mount():
        daemon = _in_namespace(directory)
    with ExitStack() as stack:
        if is_root and not daemon.prefix:
            stack.enter_context(_only_recording())
        # For members of the group `tracing`, LTTng prefers root's daemon if one is running.
        if not daemon.answers():
            process = stack.enter_context(_started(directory, daemon))
            daemon = replace(daemon, process=process)
        yield daemon


@contextmanager
def tracing_session(directory: Path, daemon: Daemon, callers: bool = False) -> Iterator[None]:
    """Write the events of LTTng's malloc wrapper into the work directory during the block.

    With `callers`, each event has the address of its caller, and the recording says which file is
    loaded at which address.
    """
    name = f"allocsim-{os.getpid()}-{secrets.token_hex(4)}"
    session = f"--session={name}"
    channel = ("--userspace", session, "--channel=heap")

    def destroy() -> None:
        """End the session, if it exists."""
        daemon.call("destroy", name)

    with on_interrupt(destroy):
        try:
            daemon.require("create", name, f"--output={directory / 'trace'}")
            daemon.require("enable-channel", "--userspace", session, *CHANNEL, "heap")
            daemon.require("enable-event", *channel, "lttng_ust_libc:*", "--filter", NOT_THE_TRACER)
            daemon.require("add-context", *channel, *CONTEXTS, *(CALLER if callers else ()))
            if callers:
                daemon.require("enable-event", *channel, LOADED_FILES)
            daemon.require("start", name)
            with watched_session(directory, daemon.process, lambda: daemon.stop(name)):
                yield
            daemon.stop(name)
        finally:
            destroy()


def can_mount() -> bool:
    """Return whether this process may mount in a namespace of its own (CAP_SYS_ADMIN)."""
    if shutil.which("unshare") is None:
        return False
    return run_command("unshare", "--mount", "mount", "--bind", "/var", "/var").returncode == 0


def _in_namespace(directory: Path) -> Daemon:
    """Return a daemon for root. Its /var/run/lttng is a subdirectory of the work directory."""
    run, home = directory / "run", directory / ".lttng"
    for needed in (run, home):
        needed.mkdir(exist_ok=True)
    return Daemon(
        {"LTTNG_HOME": str(directory)},
        ("unshare", "--mount", "sh", "-c", MOUNT, str(run)),
        (f"--apps-sock={home / 'lttng-ust-sock-8'}",),
    )


@contextmanager
def _only_recording() -> Iterator[None]:
    """Hold the lock during the block; raise RecorderFailed if another recording by root holds it.

    Without the lock, both recordings would use the daemon that the first one started, and would
    lose it when the first one ends.
    """
    with socket.socket(socket.AF_UNIX) as lock:
        try:
            lock.bind(LOCK)
        except OSError as error:
            raise RecorderFailed(
                "another recording by root is running; without CAP_SYS_ADMIN, only one is "
                "possible at a time"
            ) from error
        yield


@contextmanager
def _started(directory: Path, daemon: Daemon) -> Iterator[int]:
    """Run the daemon during the block; yield its process id.

    With setpriv, the daemon also ends if this process is killed.
    """
    guard = ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()
    command = (*guard, *daemon.prefix, "lttng-sessiond", "--no-kernel", "--quiet", *daemon.options)
    started: list[subprocess.Popen[bytes]] = []

    def stop() -> None:
        """Ask the daemon to end its consumers and itself; after STOP_TIMEOUT, kill the daemon."""
        for process in started:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()

    with on_interrupt(stop), (directory / MESSAGES).open("wb") as messages:
        try:
            with SignalsDeferred():  # so that a signal finds the daemon in the list
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=messages,
                    stderr=messages,
                    env=os.environ | daemon.variables,
                    start_new_session=True,  # so that Ctrl-C does not reach the daemon
                )
                started.append(process)
            _wait_for_answer(process, daemon, directory)
            yield process.pid
        finally:
            stop()


def _wait_for_answer(process: subprocess.Popen[bytes], daemon: Daemon, directory: Path) -> None:
    """Wait until the daemon answers; raise RecorderFailed if it ends or takes too long."""
    deadline = time.monotonic() + START_TIMEOUT
    while not daemon.answers():
        if process.poll() is not None or time.monotonic() > deadline:
            message = (directory / MESSAGES).read_text("utf-8", "replace").strip()[-200:]
            raise RecorderFailed(f"LTTng's daemon, lttng-sessiond, does not start: {message}")
        time.sleep(0.02)
