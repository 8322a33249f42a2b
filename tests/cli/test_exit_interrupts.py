"""Interrupted runs: exit status 130, and one line that says how far the run got."""

import re

import pytest

from tests.cli.conftest import File, Run
from tests.cli.running import interrupted
from tests.conftest import SCALE

ENDLESS = """
kind = "phases"
rounds = 1_000_000_000_000
[[phase]]
allocate = 500
size = { distribution = "fixed", bytes = 100 }
free = 1
"""
"""A job of short chunks: the progress bar appears soon, even if the kernels are interpreted."""


def test_interrupt_is_130(file: File) -> None:
    """Interrupt as soon as the progress bar shows events."""
    job = file("my.toml", ENDLESS)
    arguments = ["run", str(job), "--every", "1e9"]
    status, out, shown = interrupted(arguments, b"events/s", job.parent)
    assert (status, out) == (130, b"")
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
