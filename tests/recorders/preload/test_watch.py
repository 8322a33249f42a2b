"""Memory and processor time of a program, sampled from outside."""

import os
import time
from pathlib import Path

import pytest

from allocsim.recorders.preload.clock import TickClock
from allocsim.recorders.preload.watch import MemoryWatch


def test_samples_are_of_the_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This process has more than a MiB of anonymous memory."""
    monkeypatch.setattr(MemoryWatch, "INTERVAL", 0.0)
    watch = MemoryWatch(tmp_path)
    with watch.watching(os.getpid()):
        while not watch.samples:
            time.sleep(0.001)
    moment, anonymous, cpu = watch.samples[0]
    assert moment > 0
    assert anonymous > 1 << 20
    assert cpu > 0


def test_samples_stay_few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(MemoryWatch, "INTERVAL", 0.0)
    monkeypatch.setattr(MemoryWatch, "MAX_SAMPLES", 8)
    watch = MemoryWatch(tmp_path)
    with watch.watching(os.getpid()):
        while len(watch.samples) < 4:
            time.sleep(0.001)
        time.sleep(0.05)
    assert len(watch.samples) < 8


def test_process_that_has_ended_has_no_more_samples(tmp_path: Path) -> None:
    watch = MemoryWatch(tmp_path)
    with watch.watching(1 << 22):
        pass
    assert watch.samples == []


def test_ticks_are_calibrated(library: object) -> None:
    """A tick of a processor's clock is 0.1 to 100 ns; if there is no such clock, a tick is 1 ns."""
    clock = TickClock(library)  # type: ignore[arg-type]
    time.sleep(0.01)
    assert 0.1 < clock.ns_per_tick() < 100
