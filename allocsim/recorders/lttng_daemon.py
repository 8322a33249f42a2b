"""LTTng's session daemon and a session in it, for the time of one recording.

Below `lttng`. The daemon's files lie in the workplace, so nothing of the user's is touched; only
root's daemon always uses the same socket, so root records one program at a time, and a daemon that
root runs already is used and left running. Its one rule: both end with the block, however it ends.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from allocsim.recorders.base import CannotBegin, answer
from allocsim.signals import undone

PATIENCE = 20.0
"""Seconds that the daemon may take to answer, and to end."""

ROOM = ("--blocking-timeout=inf", "--subbuf-size=4M", "--num-subbuf=8")
"""When the buffers are full the program waits: nothing is discarded."""

Home = dict[str, str]
"""The variable that makes LTTng keep its files in the workplace."""


@contextmanager
def daemon(place: Path) -> Iterator[Home]:
    """A daemon that answers while the block runs; what its clients' environment needs."""
    home = {"LTTNG_HOME": str(place)}
    with ExitStack() as held:
        if os.geteuid() == 0:
            held.enter_context(_alone())
        if not _answers(home):
            held.enter_context(_own_daemon(place, home))
        yield home


@contextmanager
def session(place: Path, home: Home) -> Iterator[None]:
    """A session that writes the wrapper's events below the workplace while the block runs."""
    name = f"allocsim-{os.getpid()}-{secrets.token_hex(4)}"
    channel = ("--userspace", f"--session={name}", "--channel=heap")

    def destroy() -> None:
        """End the session, if there is one."""
        answer("lttng", "--no-sessiond", "destroy", name, env=os.environ | home)

    with undone(destroy):
        try:
            _lttng(home, "create", name, f"--output={place / 'trace'}")
            _lttng(home, "enable-channel", "--userspace", f"--session={name}", *ROOM, "heap")
            _lttng(home, "enable-event", *channel, "lttng_ust_libc:*")
            _lttng(home, "add-context", *channel, "--type=vpid", "--type=vtid")
            _lttng(home, "start", name)
            yield
            _lttng(home, "stop", name)
        finally:
            destroy()


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other recordings of root's away: they would lose the daemon when this one ends."""
    with socket.socket(socket.AF_UNIX) as lock:
        try:
            lock.bind("\0allocsim-lttng")  # a name without a file, gone with the process
        except OSError as error:
            raise CannotBegin("root records with LTTng already, one at a time") from error
        yield


@contextmanager
def _own_daemon(place: Path, home: Home) -> Iterator[None]:
    """A daemon that runs while the block does, and dies with this process."""
    guard = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    with (place / "daemon.txt").open("wb") as said:
        process = subprocess.Popen(
            [*guard, "lttng-sessiond", "--no-kernel", "--quiet"],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=os.environ | home,
            start_new_session=True,  # Ctrl-C is not for the daemon
        )

    def end() -> None:
        """Let it end its consumers and itself."""
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE)

    with undone(end):
        try:
            _await(process, home)
            yield
        finally:
            end()


def _await(process: subprocess.Popen[bytes], home: Home) -> None:
    """Wait until the daemon answers; CannotBegin if it does not."""
    deadline = time.monotonic() + PATIENCE
    while not _answers(home):
        if process.poll() is not None or time.monotonic() > deadline:
            raise CannotBegin("its daemon, lttng-sessiond, does not start here")
        time.sleep(0.02)


def _answers(home: Home) -> bool:
    """Whether a daemon answers."""
    return answer("lttng", "--no-sessiond", "list", env=os.environ | home).returncode == 0


def _lttng(home: Home, *arguments: str) -> None:
    """Give the daemon a command; CannotBegin with its own message if it refuses."""
    done = answer("lttng", "--no-sessiond", *arguments, env=os.environ | home)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise CannotBegin(f"lttng {arguments[0]} failed: {said[-200:]}")
