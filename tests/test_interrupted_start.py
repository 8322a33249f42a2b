"""Ctrl-C while Python itself starts: a launcher blocks the signal until allocsim handles it."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.running import ENVIRONMENT, Ended, default_signals, without_notices
from tests.conftest import REPOSITORY
from tests.test_interrupts import INTERRUPTED, LAUNCHERS


def interrupt_blocked() -> None:
    """Block SIGINT, and send it to this process."""
    default_signals()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("line", LAUNCHERS.values(), ids=LAUNCHERS)
def test_interrupt_that_was_blocked_while_python_started_is_130(line: list[str]) -> None:
    child = subprocess.run(
        line, check=False, capture_output=True, env=ENVIRONMENT, preexec_fn=interrupt_blocked
    )
    err = without_notices(child.stderr.decode())
    assert Ended(child.returncode, child.stdout.decode(), err) == INTERRUPTED


@pytest.mark.skipif(
    subprocess.run(
        ["env", "--block-signal=INT", "true"], check=False, capture_output=True
    ).returncode
    != 0,
    reason="env cannot block signals",
)
def test_launcher_of_a_clone_blocks_interrupts(tmp_path: Path) -> None:
    """The launcher starts a fake allocsim, which prints its mask of blocked signals."""
    for name, text in {
        "scripts/allocsim": (REPOSITORY / "scripts/allocsim").read_text(),
        "scripts/environment": f"#!/bin/sh\necho {tmp_path}\n",
        "bin/allocsim": '#!/usr/bin/env bash\ngrep SigBlk /proc/self/status\necho "$@"\n',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)
    child = subprocess.run(
        [tmp_path / "scripts/allocsim", "two words"],
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=default_signals,
    )
    assert (child.stdout, child.stderr) == ("SigBlk:\t0000000000000002\ntwo words\n", "")
