"""Interrupted runs: exit status 130, and one line that says how far the run got."""

import os
import pty
import re
import signal
import subprocess

import pytest

from tests.cli.conftest import File, Run
from tests.cli.running import ENVIRONMENT, PATIENCE, command, default_signals, read_until
from tests.conftest import SCALE

ENDLESS = """
kind = "phases"
rounds = 1_000_000_000_000
[[phase]]
allocate = 500
size = { distribution = "fixed", bytes = 100 }
free = 1
"""
"""A job whose chunks are short, so that a bar appears soon in pure mode too."""


def test_interrupt_is_130(file: File) -> None:
    """Interrupt as soon as the progress bar shows events."""
    terminal, end = pty.openpty()
    child = subprocess.Popen(
        command("run", file("my.toml", ENDLESS), "--every", "1e9"),
        stdout=subprocess.PIPE,
        stderr=end,
        env={**ENVIRONMENT, "TERM": "xterm-256color", "COLUMNS": "120"},
        preexec_fn=default_signals,
    )
    os.close(end)
    try:
        shown = read_until(terminal, b"events/s")
        child.send_signal(signal.SIGINT)
        shown += read_until(terminal, None)
        out, _ = child.communicate(timeout=PATIENCE)
    finally:
        child.kill()
        child.wait()
        os.close(terminal)
    assert (child.returncode, out) == (130, b"")
    assert re.search(rb"allocsim: error: interrupted after [\d,]+ events", shown)
    assert b"Traceback" not in shown
    assert shown.rfind(b"\x1b[?25h") > shown.rfind(b"\x1b[?25l"), "the cursor stays hidden"


def test_interrupt_of_the_player_says_how_far_it_got(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from allocsim.generators.random import Random

    honest = Random.events

    def interrupted(self: Random) -> object:
        yield next(honest(self))
        raise KeyboardInterrupt

    monkeypatch.setattr(Random, "events", interrupted)
    ended = run(f"random --ops {100 * SCALE}")
    assert (ended.status, ended.out) == (130, "")
    assert ended.err == f"allocsim: error: interrupted after {100 * SCALE:,} events\n"


def test_interrupt_outside_the_run_is_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("allocsim.jobs.make_generator", interrupt)
    ended = run("random")
    assert (ended.status, ended.out) == (130, "")
    assert ended.err.strip() == "allocsim: error: interrupted"
